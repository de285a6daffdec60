package local

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// Cores returns how many cores this process may use: those that it may run on, or the quota of its control group if that is
// less, which limit then says. GOMAXPROCS would round the quota up, to at least 2.
func Cores() (cores float64, limit string) {
	cores = float64(runtime.NumCPU())
	if q := quota("/"); q > 0 && q < cores {
		return q, "a container's limit"
	}
	return cores, ""
}

// quota returns the least CPU quota, in cores, of the process's control group and of its parents, if they are mounted below
// root; 0 means none. Sources: the kernel's documentation, scheduler/sched-bwc (v1) and admin-guide/cgroup-v2.
func quota(root string) (least float64) {
	fs, errFS := procfs.NewFS(filepath.Join(root, "proc"))
	self, errSelf := fs.Self()
	groups, errGroups := self.Cgroups()
	mounts, errMounts := self.MountInfo()
	if cmp.Or(errFS, errSelf, errGroups, errMounts) != nil {
		return 0
	}
	for _, g := range groups {
		for _, m := range mounts {
			_, cpu := m.SuperOptions["cpu"]
			v1 := m.FSType == "cgroup" && cpu && slices.Contains(g.Controllers, "cpu")
			if v2 := m.FSType == "cgroup2" && g.HierarchyID == 0; !v1 && !v2 {
				continue
			}
			within, err := filepath.Rel(m.Root, g.Path)
			if err != nil || strings.HasPrefix(within, "..") {
				within = "." // the path is another namespace's: the mount is the group itself
			}
			for dir := filepath.Join("/", within); ; dir = filepath.Dir(dir) {
				if q := quotaOf(filepath.Join(root, m.MountPoint, dir)); q > 0 && (least == 0 || q < least) {
					least = q
				}
				if dir == "/" {
					break
				}
			}
		}
	}
	return least
}

// quotaOf returns the quota of the group at dir in cores, at most 0 if it has none.
func quotaOf(dir string) float64 {
	var text []byte
	for _, file := range []string{"cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"} { // the first of v2, the others of v1
		part, _ := os.ReadFile(filepath.Join(dir, file)) // the root group of v2 has none
		text = append(text, part...)
	}
	quota, period := 0., 1.                  // in us
	fmt.Sscan(string(text), &quota, &period) // without a quota that is max in v2, and -1 in v1
	return quota / period
}
