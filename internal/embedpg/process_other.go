//go:build !linux

package embedpg

import "syscall"

// childAttr starts a child as cred. Nothing ends it at our death here: the next owner does.
func childAttr(cred *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: cred, Setpgid: true}
}

// isPostmaster tells whether the process pid may be a postgres that serves the data folder. Here we only know
// whether it lives.
func isPostmaster(pid int, _ string) (is, known bool) {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return false, true
	}
	return true, false
}
