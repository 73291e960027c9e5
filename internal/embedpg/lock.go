package embedpg

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ownerLock is an exclusive lock on a file. The kernel frees it when this process ends, however that happens; no
// child inherits it, since Go opens files close-on-exec.
type ownerLock struct{ file *os.File }

// openLock opens the file and does not lock it yet.
func openLock(path string) (*ownerLock, error) {
	f, err := openPrivate(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	return &ownerLock{file: f}, nil
}

// try takes the lock if it is free, and tells whether it is ours now. It never waits.
func (l *ownerLock) try() (bool, error) {
	err := l.flock(unix.LOCK_EX | unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// release gives the lock back and keeps the file open for another try.
func (l *ownerLock) release() error { return l.flock(unix.LOCK_UN) }

// close gives the lock back for good. The file stays: removing it would let two processes lock two files.
func (l *ownerLock) close() error { return l.file.Close() }

func (l *ownerLock) flock(how int) error {
	for {
		err := unix.Flock(int(l.file.Fd()), how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("lock %s: %w", l.file.Name(), err)
		}
		return nil
	}
}
