// Command bench prints the figures and ratios of docs/benchmarks.md: each is a
// median of several rounds of one run on this machine, beside what the machine
// gives without Tenure, measured in turn with it.
//
//	go run ./acceptance/bench                 everything, some minutes
//	go run ./acceptance/bench -only log,http  some sections: log, http, size, rebuild, redis, lag, views, checks, asof, ledger, feed, sealing
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

var (
	only     = flag.String("only", "log,http,size,rebuild,redis,lag,views,checks,asof,ledger,feed,sealing", "sections to run")
	rounds   = flag.Int("rounds", 5, "rounds of which the median is printed")
	window   = flag.Duration("window", time.Second, "how long one round of a load lasts")
	warmUp   = flag.Duration("warm-up", 10*time.Second, "how long writes run before they are measured")
	members  = flag.Int("members", 100_000, "members of the largest organization")
	profiles = flag.String("profiles", "", "address at which the server serves Go's profiles meanwhile")
	static   = flag.String("static", "", "internal: serve a static body of this many bytes")
)

func main() {
	flag.Parse()
	if *static != "" {
		serveStatic(*static)
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "tenure-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%s, %d cores, %s, medians of %d rounds\n", runtime.Version(), runtime.NumCPU(), runtime.GOARCH, *rounds)
	goredis.SetLogger(silent{}) // a Redis that starts refuses connections
	ctx := context.Background()
	sections := []struct {
		name string
		run  func(context.Context, string) error
	}{{"log", benchLog}, {"http", benchHTTP}, {"size", benchSize}, {"rebuild", benchRebuild}, {"redis", benchRedis}, {"lag", benchLag}, {"views", benchViews}, {"checks", benchChecks}, {"asof", benchAsOf}, {"ledger", benchLedger}, {"feed", benchFeed}, {"sealing", benchSealing}}
	for _, s := range sections {
		if !slices.Contains(strings.Split(*only, ","), s.name) {
			continue
		}
		folder := filepath.Join(dir, s.name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		if err := s.run(ctx, folder); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// build builds the server.
func build(dir string) (string, error) {
	binary := filepath.Join(dir, "tenure")
	out, err := exec.Command("go", "build", "-o", binary, "tenure/cmd/tenure").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// measure runs the functions in turn, some rounds, and answers with each one's median.
func measure(functions ...func() (float64, error)) ([]float64, error) {
	all := make([][]float64, len(functions))
	for range *rounds {
		for i, f := range functions {
			v, err := f()
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], v)
		}
	}
	medians := make([]float64, len(functions))
	for i := range all {
		medians[i] = median(all[i])
	}
	return medians, nil
}

// warm repeats a load for some seconds before it is measured: files that still
// grow are forced to disk more slowly than those that are overwritten.
func warm(f func() (float64, error)) error {
	for begin := time.Now(); time.Since(begin) < *warmUp; {
		if _, err := f(); err != nil {
			return err
		}
	}
	return nil
}

func title(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }

func row(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }
