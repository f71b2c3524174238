package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"zombiezen.com/go/sqlite"

	"tenure/keyring"
)

// ErrReadOnly says that a Store was opened to be read.
var ErrReadOnly = errors.New("keyring/sqlite: the file was opened for reading only")

// OpenReadOnly opens the file at path for who opens what is sealed and changes
// nothing: the file stays as it is, with its mode, and may be a backup on a disk
// that cannot be written to. It fails as Open does; what would change the file
// fails with ErrReadOnly.
func OpenReadOnly(path string) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", keyring.ErrNoStore, path)
	}
	s, err := openToRead(path, sqlite.OpenReadOnly)
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultCantOpen { // no WAL is there, and none can be made
		unchanging := url.URL{Scheme: "file", Path: path, RawQuery: "immutable=1"}
		s, err = openToRead(unchanging.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
	}
	return s, err
}

func openToRead(path string, flags sqlite.OpenFlags) (*Store, error) {
	conn, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, explain(err)
	}
	conn.SetBusyTimeout(lockWait)
	s := &Store{reader: conn}
	application, version, _, err := header(conn)
	switch {
	case err != nil:
	case application != applicationID:
		err = ErrNotKeys
	case version > schemaVersion:
		err = ErrNewer
	default:
		s.identity, err = identify(conn)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}
