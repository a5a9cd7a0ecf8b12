// The life of an action, by grpc-go: each step prints its name and the state that is read after it.
//
// GRPC_ADDRESS is host:port, TOKEN the caller's; with TRUSTED, the path of certificates in PEM, over TLS.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	connection, err := grpc.NewClient(os.Getenv("GRPC_ADDRESS"), grpc.WithTransportCredentials(trusted()))
	must(err)
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv("TOKEN"))
	live(ctx, management.NewManagementServiceClient(connection))
}

func trusted() credentials.TransportCredentials {
	path := os.Getenv("TRUSTED")
	if path == "" {
		return insecure.NewCredentials()
	}
	read, err := credentials.NewClientTLSFromFile(path, "")
	must(err)
	return read
}

func live(ctx context.Context, api management.ManagementServiceClient) {
	created, err := api.CreateAction(ctx, &management.CreateActionRequest{Name: "greet", Script: "function greet() {}"})
	must(err)
	id := created.Id
	show := func(step string) {
		read, err := api.GetAction(ctx, &management.GetActionRequest{Id: id})
		if status.Code(err) == codes.NotFound {
			fmt.Println(step, codes.NotFound)
			return
		}
		must(err)
		fmt.Println(step, read.Action.State)
	}
	show("create")
	_, err = api.DeactivateAction(ctx, &management.DeactivateActionRequest{Id: id})
	must(err)
	show("deactivate")
	_, err = api.ReactivateAction(ctx, &management.ReactivateActionRequest{Id: id})
	must(err)
	show("reactivate")
	_, err = api.DeleteAction(ctx, &management.DeleteActionRequest{Id: id})
	must(err)
	show("delete")
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
