package embedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postmasterPID reads the process id that the data folder's lock file names; 0 if there is none.
func postmasterPID(dataDir string) int {
	b, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid < 1 {
		return 0
	}
	return pid
}

// awaitPrevious waits for the postgres of an owner that was killed, which is still ending. Where nothing told it to
// end, we do: we hold the lock, so nobody else needs it.
func (s *Server) awaitPrevious(ctx context.Context, dataDir string) error {
	begun := time.Now()
	told := false
	for {
		pid := postmasterPID(dataDir)
		if pid == 0 {
			return nil
		}
		is, known := isPostmaster(pid, dataDir)
		if !is {
			return disownPID(dataDir, pid)
		}
		if waited := time.Since(begun); waited > endingTimeout {
			if !known {
				return nil // perhaps a stranger that got the same id: postgres itself will see
			}
			return fmt.Errorf("an earlier postgres, process %d, still runs on %s: end it with `kill -INT %d`", pid, dataDir, pid)
		} else if !told && waited > time.Second && s.answers(ctx) {
			// Only a server of ours has our socket and our password.
			told = syscall.Kill(pid, syscall.SIGINT) == nil
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// disownPID makes a stale lock file harmless. After a restart of the machine or container the id in it may be that
// of another process of the same account, which postgres takes for a running server; it ignores that of its parent,
// which is us, and goes on to check that no backend is left.
func disownPID(dataDir string, pid int) error {
	if syscall.Kill(pid, 0) != nil {
		return nil
	}
	path := filepath.Join(dataDir, "postmaster.pid")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it ended just now
	}
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(b), "\n")
	return os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600)
}
