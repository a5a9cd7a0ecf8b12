// Lists actions by zitadel-go as a service user: by a key file, and by a client secret.
//
// HOST and PORT are those of JSON and gRPC, KEY_FILE is what `key create` wrote, CLIENT_ID and
// CLIENT_SECRET what it printed.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/zitadel"
)

func main() {
	scopes := []string{"openid", client.ScopeZitadelAPI()}
	list("key file", client.DefaultServiceUserAuthentication(os.Getenv("KEY_FILE"), scopes...))
	list("client secret", client.PasswordAuthentication(os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"), scopes...))
}

func list(by string, authentication client.TokenSourceInitializer) {
	ctx := context.Background()
	api, err := client.New(ctx,
		zitadel.New(os.Getenv("HOST"), zitadel.WithInsecure(os.Getenv("PORT"))),
		client.WithAuth(authentication),
	)
	must(err)
	listed, err := api.ManagementService().ListActions(ctx, &management.ListActionsRequest{})
	must(err)
	for _, action := range listed.Result {
		fmt.Println(by, action.Name)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
