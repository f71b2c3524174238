package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"tenure/relay/broker"
)

type configCommand struct {
	settings
}

// Run prints every setting with its value, masked where it is a secret, and
// where that comes from.
func (c *configCommand) Run(k *kong.Context) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tENVIRONMENT\tVALUE\tFROM")
	for _, flag := range k.Selected().Flags {
		if len(flag.Envs) == 0 || flag.Name == "help" {
			continue
		}
		value := fmt.Sprint(flag.Target.Interface())
		if all, ok := flag.Target.Interface().([]string); ok && flag.Tag.Has("secret") {
			value = fmt.Sprint(maskedAll(all))
		} else if flag.Tag.Has("secret") && value != "" {
			value = masked(flag.Tag.Get("secret"), value)
		}
		fmt.Fprintf(w, "--%s\t%s\t%s\t%s\n", flag.Name, strings.Join(flag.Envs, " "), value, source(k, flag))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return c.check()
}

// masked hides a secret: all of it, or of an address the password.
func masked(kind, value string) string {
	if kind != "url" {
		return "(set)"
	}
	u, err := url.Parse(value)
	if err != nil {
		return "(set)"
	}
	return u.Redacted()
}

// maskedAll hides the passwords of brokers.
func maskedAll(brokers []string) []string {
	shown := make([]string, len(brokers))
	for i, b := range brokers {
		shown[i] = broker.Masked(b)
	}
	return shown
}

func source(k *kong.Context, flag *kong.Flag) string {
	for _, p := range k.Path {
		if p.Flag == flag {
			return "flag"
		}
	}
	for _, env := range flag.Envs {
		if _, ok := os.LookupEnv(env); ok {
			return "environment"
		}
	}
	return "default"
}
