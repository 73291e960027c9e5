package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Less than either is too little for PostgreSQL to go on safely.
const (
	leastFree        = 1 << 30 // bytes
	leastFreePercent = 10
)

func (o *Options) disk() Finding {
	free, total, err := o.FreeSpace(o.StateDir)
	if err != nil {
		return failed("disk", fmt.Errorf("the free space of %s: %w", o.StateDir, err))[0]
	}
	message := fmt.Sprintf("%s of %s are free where the private database is, %s.", bytes(free), bytes(total), o.StateDir)
	if free < leastFree || free < total/100*leastFreePercent {
		return Finding{"disk", Warning, message, "Free some space there, or move the folder and set PATCHBAY_STATE_DIR: PostgreSQL stops when the disk is full."}
	}
	return Finding{"disk", OK, message, ""}
}

// freeSpace asks the system, for what accounts other than root may still use.
func freeSpace(dir string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	size := uint64(s.Bsize)
	return uint64(s.Bavail) * size, uint64(s.Blocks) * size, nil
}

// bytes is a size for people.
func bytes(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for ; value >= unit; prefix++ {
		value /= unit
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[prefix])
}
