// Command bench-bare-stream serves recorded gRPC messages byte for byte and does nothing else: the floor that
// a stream of market data is measured against. Any method of any service answers with all messages.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// raw passes messages through as the bytes they are.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("marshal: want *[]byte, got %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*message)}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("unmarshal: want *[]byte, got %T", v)
	}
	*message = data.Materialize()
	return nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	path := flag.String("messages", "", "file of messages, each behind its length as four bytes, little-endian")
	flag.Parse()
	if err := serve(*listen, *path); err != nil {
		fmt.Fprintln(os.Stderr, "bench-bare-stream:", err)
		os.Exit(1)
	}
}

func serve(listen, path string) error {
	messages, err := readMessages(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.ForceServerCodecV2(raw{}),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			var request []byte
			if err := stream.RecvMsg(&request); err != nil {
				return err
			}
			for i := range messages {
				if err := stream.SendMsg(&messages[i]); err != nil {
					return err
				}
			}
			return nil
		}),
	)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		server.Stop()
	}()
	fmt.Println(listener.Addr())
	return server.Serve(listener)
}

func readMessages(path string) ([][]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := bufio.NewReader(file)
	var messages [][]byte
	for {
		var length uint32
		if err := binary.Read(reader, binary.LittleEndian, &length); errors.Is(err, io.EOF) {
			return messages, nil
		} else if err != nil {
			return nil, err
		}
		message := make([]byte, length)
		if _, err := io.ReadFull(reader, message); err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
}
