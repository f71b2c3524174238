package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/matryer/is"
)

// composeService is what compose.yaml is checked for.
type composeService struct {
	Image       string            `yaml:"image"`
	User        string            `yaml:"user"`
	Privileged  bool              `yaml:"privileged"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Restart     string            `yaml:"restart"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Networks    []string          `yaml:"networks"`
	Volumes     []string          `yaml:"volumes"`
	Healthcheck struct {
		Test    []string `yaml:"test"`
		Disable bool     `yaml:"disable"`
	} `yaml:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Networks map[string]any            `yaml:"networks"`
	Volumes  map[string]any            `yaml:"volumes"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file composeFile
	// A key beside a merge overrides it, which this library calls a duplicate.
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(yaml.FormatError(err, false, true))
	}
	return file
}

// serveFlags are the flags of `tenure serve` by environment variable.
func serveFlags(t *testing.T) map[string]*kong.Flag {
	t.Helper()
	flags := make(map[string]*kong.Flag)
	for _, command := range newParser().Model.Children {
		if command.Name != "serve" {
			continue
		}
		for _, flag := range command.Flags {
			for _, env := range flag.Envs {
				flags[env] = flag
			}
		}
	}
	if len(flags) < 20 {
		t.Fatalf("only %d settings are known", len(flags))
	}
	return flags
}

func TestComposeIsSafe(t *testing.T) {
	file := readCompose(t)
	is := is.New(t)
	is.True(len(file.Services) >= 6)
	for name, s := range file.Services {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.True(regexp.MustCompile(`^[a-z0-9./-]+:(v?\d+\.\d+\.\d+(-[a-z0-9.]+)?|local)$`).MatchString(s.Image)) // a version, or what was built here
			is.Equal(s.Image == "tenure:local", strings.HasPrefix(name, "node-") || name == "secret")
			is.True(regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(s.User)) // not root
			is.True(!s.Privileged)
			is.Equal(s.ReadOnly, name != "kurrentdb")
			is.Equal(s.CapDrop, []string{"ALL"})
			is.True(slices.Contains(s.SecurityOpt, "no-new-privileges:true"))
			for _, port := range s.Ports {
				is.True(strings.HasPrefix(port, "127.0.0.1:"))
			}
			for _, network := range s.Networks {
				_, there := file.Networks[network]
				is.True(there)
			}
			for _, volume := range s.Volumes {
				from, _, _ := strings.Cut(volume, ":")
				_, there := file.Volumes[from]
				if !there {
					_, err := os.Stat("../../" + from)
					is.NoErr(err) // a file of the repository
				}
			}
			if name == "secret" { // ends
				is.Equal(s.Restart, "no")
				is.True(s.Healthcheck.Disable)
				return
			}
			is.Equal(s.Restart, "unless-stopped")
			is.True(len(s.Healthcheck.Test) >= 2 && s.Healthcheck.Test[0] == "CMD")
			for on, d := range s.DependsOn {
				_, there := file.Services[on]
				is.True(there)
				want := "service_healthy"
				if on == "secret" {
					want = "service_completed_successfully"
				}
				is.Equal(d.Condition, want)
			}
		})
	}
}

func TestComposeGivesSettingsThatThereAre(t *testing.T) {
	is := is.New(t)
	file, flags := readCompose(t), serveFlags(t)
	given := 0
	for name, s := range file.Services {
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "TENURE_") {
				given++
				if flags[variable] == nil {
					t.Errorf("%s: there is no setting %s", name, variable)
				}
			}
		}
	}
	is.True(given >= 10)
	one, two := file.Services["node-1"], file.Services["node-2"]
	is.Equal(one.Volumes, two.Volumes) // the secret among them
	is.True(one.Environment["TENURE_NODE"] != two.Environment["TENURE_NODE"])
	delete(one.Environment, "TENURE_NODE")
	delete(two.Environment, "TENURE_NODE")
	is.Equal(one.Environment, two.Environment)

	// The settings that are wired pass the program's own checks.
	var args []string
	for variable, value := range one.Environment {
		if flag := flags[variable]; flag != nil {
			args = append(args, "--"+flag.Name+"="+value)
		}
	}
	cli := &program{}
	_, err := kong.Must(cli, kong.DefaultEnvars("TENURE")).Parse(append([]string{"serve", "--listen=:8080"}, args...))
	is.NoErr(err)
	is.NoErr(cli.Serve.check())
}

// The programs that compose.yaml and the Dockerfile call understand their
// arguments.
func TestDeploymentsCallCommandsThatThereAre(t *testing.T) {
	is := is.New(t)
	file := readCompose(t)
	calls := [][]string{file.Services["secret"].Command}
	for _, node := range []string{"node-1", "node-2"} {
		calls = append(calls, file.Services[node].Healthcheck.Test[2:])
	}
	text, err := os.ReadFile("../../Dockerfile")
	is.NoErr(err)
	for _, list := range regexp.MustCompile(`CMD \[(.*)\]`).FindAllStringSubmatch(string(text), -1) {
		words := regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(list[1], -1)
		var call []string
		for _, word := range words {
			if word[1] != "/usr/local/bin/tenure" {
				call = append(call, word[1])
			}
		}
		calls = append(calls, call)
	}
	is.Equal(len(calls), 5)
	for _, call := range calls {
		_, err := newParser().Parse(call)
		is.NoErr(err)
	}

	flags := serveFlags(t)
	variables := regexp.MustCompile(`TENURE_[A-Z_]+`).FindAllString(string(text), -1)
	is.Equal(len(variables), 2)
	for _, variable := range variables {
		is.True(flags[variable] != nil)
	}
	stages := regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+)`).FindAllStringSubmatch(string(text), -1)
	is.Equal(len(stages), 2)
	user := regexp.MustCompile(`(?m)^USER (\S+)$`).FindAllStringSubmatch(string(text), -1)
	is.Equal(len(user), 1)
	is.Equal(user[0][1], file.Services["node-1"].User)
}

// The image is built of what .dockerignore lets through: that is everything that
// the program imports.
func TestTheImageIsBuiltOfAllPackages(t *testing.T) {
	is := is.New(t)
	listed, err := exec.Command("go", "list", "-deps", "tenure/cmd/tenure").Output()
	is.NoErr(err)
	ignored, err := os.ReadFile("../../.dockerignore")
	is.NoErr(err)
	let := strings.Fields(string(ignored))
	folders := 0
	for _, name := range strings.Fields(string(listed)) {
		if own, ours := strings.CutPrefix(name, "tenure/"); ours {
			folder, _, _ := strings.Cut(own, "/")
			folders++
			if !slices.Contains(let, "!"+folder) {
				t.Errorf(".dockerignore leaves out %s, which the program needs", folder)
			}
		}
	}
	is.True(folders > 20)
}
