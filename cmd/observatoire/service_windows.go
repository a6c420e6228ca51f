package main

import (
	"context"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/windows/svc"
)

// runService runs the command line under Windows' service manager, when it is the manager that started the program:
// `sc.exe create` with the line of `observatoire serve` makes a service, without any wrapper. What the manager stops is
// what Ctrl-C stops. A service has no console: --log-file says where to write.
func runService() (code int, ran bool) {
	if is, err := svc.IsWindowsService(); err != nil || !is {
		return 0, false
	}
	s := &service{}
	if err := svc.Run("observatoire", s); err != nil {
		return exitFailed, true
	}
	return s.code, true
}

type service struct{ code int }

// Execute implements svc.Handler.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan int, 1)
	errs := serviceErrors(os.Args[1:])
	go func() { done <- execute(ctx, os.Args[1:], io.Discard, errs) }()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	for {
		select {
		case s.code = <-done:
			return true, uint32(s.code)
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: 30_000}
				stop()
			}
		}
	}
}

// serviceErrors is where to say why the service does not start: the file of --log-file, which a refusal comes before.
func serviceErrors(args []string) io.Writer {
	for i, arg := range args {
		name, ok := strings.CutPrefix(arg, "--log-file=")
		if arg == "--log-file" && i+1 < len(args) {
			name, ok = args[i+1], true
		}
		if ok {
			if f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640); err == nil {
				return f
			}
		}
	}
	return io.Discard
}
