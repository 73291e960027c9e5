package embedpg

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// childAttr starts a child as cred. The interrupt at our death is a fast shutdown.
func childAttr(cred *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: cred, Setpgid: true, Pdeathsig: syscall.SIGINT}
}

// isPostmaster tells whether the process pid is a postgres that serves the data folder. known is false where the
// system does not let us see. A process that ended and that nobody has waited for does not count.
func isPostmaster(pid int, dataDir string) (is, known bool) {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if errors.Is(err, os.ErrNotExist) && syscall.Kill(pid, 0) == syscall.ESRCH {
		return false, true
	}
	if err != nil {
		return true, false
	}
	data, err := os.Stat(dataDir)
	if err != nil {
		return true, false
	}
	args := bytes.Split(line, []byte{0})
	for i := 1; i < len(args); i++ {
		if string(args[i-1]) != "-D" {
			continue
		}
		if served, err := os.Stat(string(args[i])); err == nil && os.SameFile(served, data) {
			return true, true
		}
	}
	return false, true
}
