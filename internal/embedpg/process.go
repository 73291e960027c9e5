package embedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// child is a running initdb or postgres.
type child struct {
	cmd     *exec.Cmd
	started time.Time
	exited  chan struct{} // closed when it has ended
	err     error         // of Wait; read after exited
}

// spawn starts cmd as the account, in its own process group, so that Ctrl-C in a terminal reaches only us and we
// end it in order. On Linux the kernel interrupts it when we die.
func spawn(cmd *exec.Cmd, acc account) (*child, error) {
	cmd.Dir = "/" // the account may be unable to enter our working folder
	cmd.Env = childEnv()
	cmd.SysProcAttr = childAttr(acc.cred)
	c := &child{cmd: cmd, started: time.Now(), exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The death signal comes when the thread ends that forked: keep that one for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// childEnv is the whole environment of our children. Ours holds secrets, and another account runs them.
func childEnv() []string {
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "HOME=/"}
	for _, name := range []string{"TZ", "LD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// killWait is how long an immediate shutdown may take. The postmaster itself kills its children after 5 seconds.
const killWait = 10 * time.Second

// stop asks for a fast shutdown, then for an immediate one when grace or ctx ends, and in the end kills. It returns
// when the child has ended; an error means that the shutdown was not orderly.
func (c *child) stop(ctx context.Context, grace time.Duration) error {
	if c.signal(syscall.SIGINT) && c.endsWithin(ctx, grace) {
		return nil
	}
	if c.signal(syscall.SIGQUIT) && c.endsWithin(context.Background(), killWait) {
		return errors.New("the fast shutdown of PostgreSQL took too long; an immediate one ended it, and the next start recovers")
	}
	if c.signal(syscall.SIGKILL) {
		<-c.exited
		return errors.New("PostgreSQL did not shut down and was killed; the next start recovers")
	}
	<-c.exited
	return nil
}

// signal sends a signal, and tells whether there was still a process to send it to.
func (c *child) signal(sig syscall.Signal) bool { return c.cmd.Process.Signal(sig) == nil }

func (c *child) endsWithin(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.exited:
		return true
	case <-ctx.Done():
	case <-t.C:
	}
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// how tells how the child ended; call it after exited.
func (c *child) how() string {
	if c.err != nil {
		return c.err.Error()
	}
	return "exit status 0"
}

// probe runs a program that only prints something, and returns what it printed.
func probe(ctx context.Context, acc account, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = "/", childEnv(), time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: acc.cred}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w%s", path, err, indent(out))
	}
	return string(out), nil
}
