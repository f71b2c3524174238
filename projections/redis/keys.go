package redis

import (
	"hash/crc32"
	"net/url"
	"strconv"
	"strings"
)

// shards is how many parts the keys are in, each with a hash tag of its own, so
// that a part is always on one server. A cluster cannot use more masters than
// parts; a checkpoint is written into every part.
const shards = 64

// keys names the keys of a prefix:
//
//	tenure:{17}:d:members.v2:<partition>  documents by their ids; the field "" is the partition's position
//	tenure:{17}:e:members.v2:<partition>  index entries; all scores are 0, so they are in the order of their bytes
//	tenure:{17}:checkpoints               positions by view; the field "" is the mark of these keys
//	tenure:{0}:positions                  positions by consumer; the field "" is the newest of any view
//	tenure:{0}:format                     the number of this layout
//
// A member of the entries is the index, a zero byte, the Sort, a zero byte and
// the id. The ids of all documents stand under the empty index.
type keys struct{ prefix string }

const zero = "\x00"

func (k keys) partition(view, partition string) (documents, entries string) {
	tag := k.shard(shardOf(partition))
	name := ":" + url.QueryEscape(view) + ":" + url.QueryEscape(partition)
	return tag + ":d" + name, tag + ":e" + name
}

// entriesOf is the key of the entries that belong to documents.
func (k keys) entriesOf(documents string) string {
	tag := strings.IndexByte(documents[len(k.prefix):], '}') + len(k.prefix)
	return documents[:tag] + "}:e" + documents[tag+len("}:d"):]
}

// pattern matches the keys of a view's documents.
func (k keys) pattern(view string) string {
	return globbed(k.prefix) + "{*}:d:" + globbed(url.QueryEscape(view)) + ":*"
}

func (k keys) checkpoints(shard int) string { return k.shard(shard) + ":checkpoints" }
func (k keys) positions() string            { return k.shard(0) + ":positions" }
func (k keys) format() string               { return k.shard(0) + ":format" }

func (k keys) shard(n int) string { return k.prefix + "{" + strconv.Itoa(n) + "}" }

func shardOf(partition string) int {
	return int(crc32.ChecksumIEEE([]byte(partition)) % shards)
}

func globbed(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}

func member(index, sort, id string) string { return index + zero + sort + zero + id }
