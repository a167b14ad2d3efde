package gate

import (
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// Dial makes a connection to a Risk Service at "host:port" or "unix:path" of the same node. Gates may
// share it. It connects when first used, and again within a second of the service coming back.
func Dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: minBackOff, Multiplier: 2, Jitter: 0.2, MaxDelay: maxBackOff},
			MinConnectTimeout: time.Second,
		}),
		grpc.WithNoProxy(), // The risk answer is not to depend on the environment.
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		// What it remembers of many open orders has no bound but its own.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
	)
}
