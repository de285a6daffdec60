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

// Cores returns how many cores this process may use: those that it may run on,
// or fewer by the quota of its control group, where limit says so. GOMAXPROCS
// would be that quota rounded up, and at least 2.
func Cores() (cores float64, limit string) {
	cores = float64(runtime.NumCPU())
	if quota := quota("/"); quota > 0 && quota < cores {
		return quota, "a container's limit"
	}
	return cores, ""
}

// quota returns the least CPU quota of the process's control group and of those
// around it, as far as they are mounted below root, in cores; 0 where there is
// none. Sources: the kernel's documentation, scheduler/sched-bwc (v1) and
// admin-guide/cgroup-v2.
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
				within = "." // another namespace's name for it: its own group is mounted
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

// quotaOf returns the quota of the group at dir, in cores; 0 where it has none.
func quotaOf(dir string, v1 bool) float64 {
	var used, period float64 // in us
	if v1 {
		text, _ := os.ReadFile(filepath.Join(dir, "cpu.cfs_quota_us")) // -1 for none
		of, _ := os.ReadFile(filepath.Join(dir, "cpu.cfs_period_us"))
		fmt.Sscan(string(text)+" "+string(of), &used, &period)
	} else {
		text, _ := os.ReadFile(filepath.Join(dir, "cpu.max")) // "max 100000" for none; the topmost group has no such file
		fmt.Sscan(string(text), &used, &period)
	}
	if used <= 0 || period <= 0 {
		return 0
	}
	return used / period
}
