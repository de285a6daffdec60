//go:build linux

package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// tree writes the files of a machine, by their paths, and returns its root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["proc/1/stat"] = ""
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("1", filepath.Join(root, "proc/self")); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestTheQuotaOfAControlGroupIsFound(t *testing.T) {
	const (
		v2 = "30 22 0:27 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
		v1 = "30 22 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n" +
			"31 30 0:28 %s /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n" +
			"32 30 0:29 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n" +
			"40 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	)
	for name, c := range map[string]struct {
		files map[string]string
		want  float64
	}{
		"v2, docker run --cpus 1.5": {map[string]string{
			"proc/1/cgroup": "0::/\n", "proc/1/mountinfo": v2,
			"sys/fs/cgroup/cpu.max": "150000 100000\n",
		}, 1.5},
		"v2, a systemd unit in a slice that has less": {map[string]string{
			"proc/1/cgroup": "0::/work.slice/tune.service\n", "proc/1/mountinfo": v2,
			"sys/fs/cgroup/work.slice/cpu.max":              "50000 100000\n",
			"sys/fs/cgroup/work.slice/tune.service/cpu.max": "400000 200000\n",
		}, 0.5},
		"v2, none": {map[string]string{
			"proc/1/cgroup": "0::/user.slice\n", "proc/1/mountinfo": v2,
			"sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
		}, 0},
		"v1, a container that knows its group by the host's name": {map[string]string{
			"proc/1/cgroup":    "4:cpu,cpuacct:/docker/1f2e\n3:cpuset:/docker/1f2e\n0::/docker/1f2e\n",
			"proc/1/mountinfo": fmt.Sprintf(v1, "/docker/1f2e"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":  "25000\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "50000\n",
		}, 0.5},
		"v1, a group": {map[string]string{
			"proc/1/cgroup":    "4:cpu,cpuacct:/build\n3:cpuset:/\n0::/\n",
			"proc/1/mountinfo": fmt.Sprintf(v1, "/"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":        "-1\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us":       "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/build/cpu.cfs_quota_us":  "300000\n",
			"sys/fs/cgroup/cpu,cpuacct/build/cpu.cfs_period_us": "100000\n",
		}, 3},
		"no control groups": {map[string]string{"proc/1/cgroup": "", "proc/1/mountinfo": ""}, 0},
		"no /proc":          {map[string]string{}, 0},
	} {
		if got := quota(tree(t, c.files)); got != c.want {
			t.Errorf("%s: %g cores, want %g", name, got, c.want)
		}
	}
}

// The test binary runs itself in a control group that it makes.
func TestCoresAreLimitedByTheControlGroup(t *testing.T) {
	if os.Getenv("PRINT_CORES") != "" {
		fmt.Println(Cores())
		os.Exit(0)
	}
	for name, limit := range map[string][2]string{"/sys/fs/cgroup/cpu": {"cpu.cfs_quota_us", "50000"}, "/sys/fs/cgroup": {"cpu.max", "50000 100000"}} {
		group := fmt.Sprintf("%s/parallel-io-%d", name, os.Getpid())
		if _, err := os.Stat(filepath.Join(name, "cgroup.procs")); err != nil || os.Mkdir(group, 0o755) != nil {
			continue
		}
		defer os.Remove(group)
		if err := os.WriteFile(filepath.Join(group, limit[0]), []byte(limit[1]), 0o600); err != nil {
			continue // the group has no CPU controller
		}
		cmd := exec.Command("/bin/sh", "-c", `echo $$ > "$0"/cgroup.procs && exec "$1" -test.run "^TestCoresAre"`, group, os.Args[0])
		cmd.Env = append(os.Environ(), "PRINT_CORES=1")
		out, err := cmd.CombinedOutput()
		if want := "0.5 a container's limit\n"; err != nil || string(out) != want {
			t.Errorf("in %s: %q, %v; want %q", group, out, err, want)
		}
		return
	}
	// Without the right to make a group: those that the machine has, at most.
	if cores, limit := Cores(); cores <= 0 || cores > float64(runtime.NumCPU()) || (limit == "") != (cores == float64(runtime.NumCPU())) {
		t.Errorf("Cores() = %g, %q; want at most %d, and a limit if it is less", cores, limit, runtime.NumCPU())
	}
}
