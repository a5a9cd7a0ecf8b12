// Serves ManagementService's ReactivateAction with one message, by grpc-gateway and by grpc-go.
//
//	bench-gateway inprocess   grpc-gateway in the process of its servicer, without gRPC between
//	bench-gateway grpc        grpc-go alone
//	bench-gateway proxy ADDR  grpc-gateway in front of a gRPC server
//
// Each prints its address as JSON, and ends on SIGTERM. There are no interceptors, no token is
// checked, and nothing is logged.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"bench/gen/management"
	"bench/gen/object"
)

type servicer struct {
	management.UnimplementedManagementServiceServer
	answer *management.ReactivateActionResponse
}

func (s *servicer) ReactivateAction(
	context.Context, *management.ReactivateActionRequest,
) (*management.ReactivateActionResponse, error) {
	return s.answer, nil
}

func constant() *servicer {
	at := func(day int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, 1, day, 3, 4, 5, 678901000, time.UTC))
	}
	details := &object.ObjectDetails{
		Sequence: 3, CreationDate: at(2), ChangeDate: at(3), ResourceOwner: "223456789012345678",
	}
	return &servicer{answer: &management.ReactivateActionResponse{Details: details}}
}

func listen(kind string) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{%q: %q}\n", kind, listener.Addr())
	return listener
}

// multiplexer writes as the others do: without fields that hold their default.
func multiplexer() *runtime.ServeMux {
	json := &runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{}}
	return runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, json))
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("expected inprocess, grpc or proxy ADDR")
	}
	var err error
	switch mode := os.Args[1]; mode {
	case "inprocess":
		mux := multiplexer()
		err = management.RegisterManagementServiceHandlerServer(context.Background(), mux, constant())
		if err == nil {
			err = http.Serve(listen("http"), mux)
		}
	case "grpc":
		server := grpc.NewServer()
		management.RegisterManagementServiceServer(server, constant())
		err = server.Serve(listen("grpc"))
	case "proxy":
		mux := multiplexer()
		plain := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
		err = management.RegisterManagementServiceHandlerFromEndpoint(
			context.Background(), mux, os.Args[2], plain,
		)
		if err == nil {
			err = http.Serve(listen("http"), mux)
		}
	default:
		err = fmt.Errorf("expected inprocess, grpc or proxy ADDR, got %q", mode)
	}
	log.Fatal(err)
}
