//go:build debug

package rpc

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
)

func registerReflection(server *grpc.Server) { reflection.Register(server) }
