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

// Cores returns how many cores this process may use: those that it may run on, or the
// quota of its control group if that is less, which limit then says. GOMAXPROCS would
// round the quota up, to at least 2.
func Cores() (cores float64, limit string) {
	cores = float64(runtime.NumCPU())
	if q := quota("/"); q > 0 && q < cores {
		return q, "a container's limit"
	}
	return cores, ""
}

// quota returns the least CPU quota, in cores, of the process's control group and of
// its parents, if they are mounted below root; 0 means none. Sources: the kernel's
// documentation, scheduler/sched-bwc (v1) and admin-guide/cgroup-v2.
func quota(root string) (least float64) {
	fs, err := procfs.NewFS(filepath.Join(root, "proc"))
	if err != nil {
		return 0
	}
	self, errSelf := fs.Self()
	groups, errGroups := self.Cgroups()
	mounts, errMounts := self.MountInfo()
	if cmp.Or(errSelf, errGroups, errMounts) != nil {
		return 0
	}
	for _, g := range groups {
		for _, m := range mounts {
			_, v1 := m.SuperOptions["cpu"]
			v1 = v1 && m.FSType == "cgroup" && slices.Contains(g.Controllers, "cpu")
			if !v1 && (m.FSType != "cgroup2" || g.HierarchyID != 0) {
				continue
			}
			within, err := filepath.Rel(m.Root, g.Path)
			if err != nil || strings.HasPrefix(within, "..") {
				within = "." // the path is another namespace's: the mount is the group itself
			}
			for ; ; within = filepath.Dir(within) {
				if q := quotaOf(filepath.Join(root, m.MountPoint, within), v1); q > 0 && (least == 0 || q < least) {
					least = q
				}
				if within == "." {
					break
				}
			}
		}
	}
	return least
}

// quotaOf returns the quota of the group at dir in cores, at most 0 if it has none.
func quotaOf(dir string, v1 bool) float64 {
	quota, period := 0., 1. // in us
	if v1 {
		text, _ := os.ReadFile(filepath.Join(dir, "cpu.cfs_quota_us")) // -1 for none
		of, _ := os.ReadFile(filepath.Join(dir, "cpu.cfs_period_us"))
		fmt.Sscan(string(text)+" "+string(of), &quota, &period)
	} else {
		text, _ := os.ReadFile(filepath.Join(dir, "cpu.max")) // "max 100000" for none; the root group has no such file
		fmt.Sscan(string(text), &quota, &period)
	}
	return quota / period
}
