package simtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
)

// Risk is the pre-trade part of the Risk Service, as a process that answers in lockstep over pipes.
type Risk struct {
	command *exec.Cmd
	in, out *os.File

	mu     sync.Mutex
	stream uint64 // number of the newest
	buffer []byte
}

const (
	newStream   = 0
	streamEnded = 1<<32 - 1
)

// StartRisk starts the program, risk-service's example pretrade_stdio.
func StartRisk(program string) (*Risk, error) {
	// Plain blocking pipes: with the runtime's poller every answer would take longer.
	var down, up [2]int
	if err := syscall.Pipe2(down[:], syscall.O_CLOEXEC); err != nil {
		return nil, err
	}
	if err := syscall.Pipe2(up[:], syscall.O_CLOEXEC); err != nil {
		return nil, err
	}
	command := exec.Command(program)
	theirs := [2]*os.File{os.NewFile(uintptr(down[0]), "stdin"), os.NewFile(uintptr(up[1]), "stdout")}
	command.Stdin, command.Stdout, command.Stderr = theirs[0], theirs[1], os.Stderr
	r := &Risk{command: command, in: os.NewFile(uintptr(down[1]), "questions"), out: os.NewFile(uintptr(up[0]), "answers")}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return r, theirs[0].Close()
}

// Close ends the process.
func (r *Risk) Close() error {
	if err := r.in.Close(); err != nil {
		return err
	}
	return r.command.Wait()
}

// open begins a stream with an empty state. What an older one still sends is not heard.
func (r *Risk) open() (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stream++
	_, err := r.in.Write(binary.LittleEndian.AppendUint32(nil, newStream))
	return r.stream, err
}

// ask sends a request of a stream and reads the answer; nil: there is nothing to say.
func (r *Risk) ask(stream uint64, request *pb.CheckRequest) (*pb.CheckResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stream != r.stream {
		return nil, io.EOF
	}
	var err error
	r.buffer, err = proto.MarshalOptions{}.MarshalAppend(append(r.buffer[:0], 0, 0, 0, 0), request)
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(r.buffer, uint32(len(r.buffer)-4))
	if _, err := r.in.Write(r.buffer); err != nil {
		return nil, err
	}
	length, err := r.number()
	if err != nil || length == 0 {
		return nil, err
	}
	if length == streamEnded {
		return nil, r.reason()
	}
	body, err := r.read(int(length))
	if err != nil {
		return nil, err
	}
	response := &pb.CheckResponse{}
	return response, proto.Unmarshal(body, response)
}

func (r *Risk) reason() error {
	code, err := r.number()
	if err != nil {
		return err
	}
	length, err := r.number()
	if err != nil {
		return err
	}
	text, err := r.read(int(length))
	if err != nil {
		return err
	}
	return status.Error(codes.Code(code), string(text))
}

func (r *Risk) number() (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(r.out, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func (r *Risk) read(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(r.out, b)
	return b, err
}

// riskConn is the connection of one Trading Service to the Risk Service, as the gate takes it.
type riskConn struct {
	risk      *Risk
	down      *atomic.Int64 // no streams before this time
	late      *atomic.Int64 // until this time answers are late
	questions crossing      // is passed with each message that asks

	mu   sync.Mutex
	open *riskStream
}

// lateBy is beyond the gate's deadline.
const lateBy = deadline + 7*time.Millisecond

func (c *riskConn) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return status.Error(codes.Unimplemented, "the gate only streams")
}

func (c *riskConn) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	if now() < c.down.Load() {
		return nil, status.Error(codes.Unavailable, "the Risk Service is down")
	}
	number, err := c.risk.open()
	if err != nil {
		return nil, err
	}
	s := &riskStream{inbox: newInbox(ctx), conn: c, number: number}
	c.mu.Lock()
	c.open = s
	c.mu.Unlock()
	return s, nil
}

// sever ends the stream, as a Risk Service that ends does.
func (c *riskConn) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil {
		c.open.close(status.Error(codes.Unavailable, "the Risk Service ended"))
		c.open = nil
	}
}

type riskStream struct {
	*inbox
	conn   *riskConn
	number uint64
}

// SendMsg gets the answer at once; RecvMsg gives it when it is time.
func (s *riskStream) SendMsg(m any) error {
	request := m.(*pb.CheckRequest)
	if s.over() || asks(request) && !s.conn.questions.pass() {
		return io.EOF
	}
	response, err := s.conn.risk.ask(s.number, request)
	if err != nil {
		s.close(err)
		return io.EOF
	}
	if response == nil {
		return nil
	}
	due := int64(0)
	if t := now(); t < s.conn.late.Load() {
		due = t + int64(lateBy)
	}
	s.put(due, func(into any) { proto.Merge(into.(proto.Message), response) })
	return nil
}

func asks(request *pb.CheckRequest) bool {
	for _, e := range request.GetEvents() {
		if e.GetDecided() == nil && (e.GetCheck() != nil || e.GetListCheck() != nil || e.GetReplaceCheck() != nil) {
			return true
		}
	}
	return false
}
