//go:build unix

// Command esdbserver runs the test server of package esdbtest as a process of
// its own, for tests that drive the whole program. Killed at any point, it
// loses nothing that it has answered.
//
// It writes "listening on <address>" when it takes connections, and obeys
// signals: SIGUSR1 cuts all connections, SIGUSR2 refuses them until the next
// SIGUSR2, SIGINT and SIGTERM end it. It writes "cut", "refusing" and
// "listening on <address>" when that is done.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"tenure/eventstore/esdb/esdbtest"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:2113", "address; port 0 takes a free one")
	data := flag.String("data", "", "folder of the log, made if there is none")
	delay := flag.Duration("delay", 0, "time that every answer waits after its work was done")
	flag.Parse()
	if err := run(*listen, *data, *delay); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(listen, data string, delay time.Duration) error {
	if data == "" {
		return errors.New("--data names no folder")
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGINT, syscall.SIGTERM)
	server, err := esdbtest.Start(listen, filepath.Join(data, "log.db"))
	if err != nil {
		return err
	}
	server.Delay(delay)
	fmt.Println("listening on", server.Address())
	err = obey(server, signals)
	return errors.Join(err, server.Close())
}

// obey does as the signals say until one ends it.
func obey(server *esdbtest.Server, signals <-chan os.Signal) error {
	refusing := false
	for s := range signals {
		switch {
		case s == syscall.SIGUSR1:
			server.Cut()
			fmt.Println("cut")
		case s == syscall.SIGUSR2 && !refusing:
			if err := server.Refuse(); err != nil {
				return err
			}
			refusing = true
			fmt.Println("refusing")
		case s == syscall.SIGUSR2:
			if err := server.Accept(); err != nil {
				return err
			}
			refusing = false
			fmt.Println("listening on", server.Address())
		default:
			return nil
		}
	}
	return nil
}
