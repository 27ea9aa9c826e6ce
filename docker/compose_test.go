package docker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"forebay/config"
)

// compose is as much of compose.yaml as the tests hold against the other files.
type compose struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Image       string            `yaml:"image"`
	Build       *build            `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck *struct {
		Test    []string `yaml:"test"`
		Disable bool     `yaml:"disable"`
	} `yaml:"healthcheck"`
	Restart string `yaml:"restart"`
}

type build struct {
	Context    string `yaml:"context"`
	Dockerfile string `yaml:"dockerfile"`
}

// readCompose parses compose.yaml.
func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	if err := yaml.Unmarshal(read(t, "compose.yaml"), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Services) == 0 {
		t.Fatal("no services")
	}
	return c
}

// read returns a file of the repository, by its path from this folder.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// configuration is what Forebay makes of forebay.yaml in the container's environment.
func configuration(t *testing.T, c compose) *config.Config {
	t.Helper()
	var environ []string
	for name, value := range c.Services["forebay"].Environment {
		environ = append(environ, name+"="+value)
	}
	conf, err := config.Load("forebay.yaml", environ, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(conf.Warnings) > 0 {
		t.Errorf("warnings: %q", conf.Warnings)
	}
	return conf
}

// mount returns what a service sees at a path of its container: a path from this folder, "" if nothing is mounted there.
func (s service) mount(path string) string {
	for _, volume := range s.Volumes {
		part := strings.Split(volume, ":")
		if rest, ok := strings.CutPrefix(path, part[1]); ok && (rest == "" || rest[0] == '/') {
			return part[0] + rest
		}
	}
	return ""
}

// runsOnce tells whether a service ends by itself.
func (s service) runsOnce() bool { return s.Restart == "no" }

func TestPublishedPortsAreOnLoopback(t *testing.T) {
	c := readCompose(t)
	conf := configuration(t, c)
	listens := map[string][]string{
		"forebay":    {portOf(t, conf.Listen.Address), portOf(t, conf.HTTP.Address)},
		"prometheus": {"9090"},
	}
	for name, s := range c.Services {
		var published []string
		for _, port := range s.Ports {
			part := strings.Split(port, ":")
			if len(part) != 3 || part[0] != "127.0.0.1" || part[1] != part[2] {
				t.Errorf("%s publishes %q, want 127.0.0.1:port:port", name, port)
				continue
			}
			published = append(published, part[2])
		}
		if strings.Join(published, " ") != strings.Join(listens[name], " ") {
			t.Errorf("%s publishes %v, want %v", name, published, listens[name])
		}
	}
}

func TestVolumesAreThereAndUsed(t *testing.T) {
	c := readCompose(t)
	used := map[string]bool{}
	for name, s := range c.Services {
		for _, volume := range s.Volumes {
			part := strings.Split(volume, ":")
			if !strings.HasPrefix(part[0], ".") {
				used[part[0]] = true
				if _, ok := c.Volumes[part[0]]; !ok {
					t.Errorf("%s uses the volume %s, which is not declared", name, part[0])
				}
				continue
			}
			if _, err := os.Stat(filepath.FromSlash(part[0])); err != nil {
				t.Errorf("%s mounts %s: %v", name, part[0], err)
			}
			if len(part) != 3 || part[2] != "ro" {
				t.Errorf("%s mounts %q writable", name, volume)
			}
		}
	}
	for volume := range c.Volumes {
		if !used[volume] {
			t.Errorf("volume %s is not used", volume)
		}
	}
}

func TestServicesWaitForWhatTheyNeed(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		hasCheck := s.Healthcheck != nil && len(s.Healthcheck.Test) > 0
		if !s.runsOnce() && !hasCheck && name != "forebay" { // its check is in the Dockerfile
			t.Errorf("%s has no health check", name)
		}
		for need, how := range s.DependsOn {
			other, ok := c.Services[need]
			want := "service_healthy"
			if other.runsOnce() {
				want = "service_completed_successfully"
			}
			if !ok || how.Condition != want {
				t.Errorf("%s waits for %s to be %q, want %q (a service: %v)", name, need, how.Condition, want, ok)
			}
		}
	}
	for name, needs := range map[string][]string{
		"keyspace":   {"cassandra"},
		"load-train": {"keyspace"},
		"load-test":  {"load-train"},
		"forebay":    {"redis", "cassandra", "kafka", "load-test"},
		"prometheus": {"forebay"},
	} {
		for _, need := range needs {
			if _, ok := c.Services[name].DependsOn[need]; !ok {
				t.Errorf("%s does not wait for %s", name, need)
			}
		}
	}
}
