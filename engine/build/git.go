package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
	"github.com/moby/buildkit/util/gitutil"
	"golang.org/x/sys/unix"
)

// repository is the git repository that an address names, with the part of it that is
// wanted: https://host/project.git#reference:directory and the other forms that docker
// knows. False if it is the address of something else.
func repository(remote string) (*dfgitutil.GitRef, bool) {
	ref, ok, err := dfgitutil.ParseGitRef(remote)
	return ref, ok && err == nil
}

// clone makes the context of a repository, submodules included, by the engine's git.
func (s *received) clone(ctx context.Context, repo *dfgitutil.GitRef) error {
	failed := func(err error) error {
		return fmt.Errorf("clone build context %s: %w", repo.Remote, err)
	}
	if _, err := exec.LookPath("git"); err != nil {
		return failed(fmt.Errorf("git is not on the engine's machine: install it there, or clone the repository and send it: %w", errdefs.ErrFailedPrecondition))
	}
	ref := repo.Ref
	if ref == "" {
		ref = "HEAD"
	}
	if strings.HasPrefix(ref, "-") {
		return failed(fmt.Errorf("invalid refspec %q: %w", ref, errdefs.ErrInvalidArgument))
	}
	git := gitutil.NewGitCLI(gitutil.WithDir(s.top), gitutil.WithExec(runGroup))
	found := "FETCH_HEAD"
	if gitutil.IsCommitSHA(ref) { // of a server that gives single commits or, by a second try, of all there is
		found = ref
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"remote", "add", "origin", repo.Remote},
		{"fetch", "--quiet", "--depth=1", "origin", ref},
		{"-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", found},
		{"submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"},
	} {
		if _, err := git.Run(ctx, args...); err != nil {
			return failed(err)
		}
	}
	return s.enter(repo.SubDir)
}

// enter makes a directory inside of what was received the context. A link does not lead out.
func (s *received) enter(sub string) error {
	root, err := os.OpenRoot(s.top)
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := root.OpenRoot(filepath.Clean("./" + sub))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the build context has no directory %s: %w", sub, errdefs.ErrInvalidArgument)
	}
	if err != nil {
		return fmt.Errorf("enter directory %s of the build context: %w: %w", sub, err, errdefs.ErrInvalidArgument)
	}
	defer dir.Close()
	self, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	// What it is by its own name: the way there went over links, maybe.
	s.dir, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", self.Fd()))
	return err
}

// runGroup runs a command that has helpers, which end with it when ctx does: git itself
// would leave one behind that waits for a silent server.
func runGroup(ctx context.Context, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	err := cmd.Wait()
	if !stop() && err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return err
}
