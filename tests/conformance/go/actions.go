// Makes, calls, changes and deletes a target by zitadel-go, at the Action API v2 of a ZITADEL.
//
// HOST and PORT are those of gRPC, TOKEN the caller's; prints what it reads. Without HOST it prints
// its messages: a FileDescriptorSet in base64.
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	actions "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/zitadel"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
)

func main() {
	if os.Getenv("HOST") == "" {
		printMessages()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	api, err := client.New(ctx,
		zitadel.New(os.Getenv("HOST"), zitadel.WithInsecure(os.Getenv("PORT"))),
		client.WithAuth(client.PAT(os.Getenv("TOKEN"))),
	)
	must(err)
	live(ctx, api.ActionServiceV2())
}

func live(ctx context.Context, api actions.ActionServiceClient) {
	functions, err := api.ListExecutionFunctions(ctx, &actions.ListExecutionFunctionsRequest{})
	must(err)
	fmt.Println("functions", functions.Functions)
	made, err := api.CreateTarget(ctx, &actions.CreateTargetRequest{
		Name:       "of go",
		TargetType: &actions.CreateTargetRequest_RestCall{RestCall: &actions.RESTCall{InterruptOnError: true}},
		Timeout:    durationpb.New(2500 * time.Millisecond),
		Endpoint:   "https://actions.example/targets/1",
	})
	must(err)
	condition := &actions.Condition{ConditionType: &actions.Condition_Function{
		Function: &actions.FunctionExecution{Name: functions.Functions[0]},
	}}
	_, err = api.SetExecution(ctx, &actions.SetExecutionRequest{Condition: condition, Targets: []string{made.Id}})
	must(err)
	executions, err := api.ListExecutions(ctx, &actions.ListExecutionsRequest{})
	must(err)
	for _, each := range executions.Executions {
		fmt.Println("execution", each.Condition.GetFunction().GetName(), len(each.Targets) == 1 && each.Targets[0] == made.Id)
	}
	targets, err := api.ListTargets(ctx, &actions.ListTargetsRequest{})
	must(err)
	for _, each := range targets.Targets {
		fmt.Println("target", each.Name, each.GetRestCall().GetInterruptOnError(), each.Timeout.AsDuration(),
			each.Endpoint, each.PayloadType, each.SigningKey == made.SigningKey)
	}
	renewed, err := api.UpdateTarget(ctx, &actions.UpdateTargetRequest{Id: made.Id, ExpirationSigningKey: durationpb.New(0)})
	must(err)
	fmt.Println("renewed", renewed.GetSigningKey() != "" && renewed.GetSigningKey() != made.SigningKey)
	_, err = api.SetExecution(ctx, &actions.SetExecutionRequest{Condition: condition})
	must(err)
	_, err = api.DeleteTarget(ctx, &actions.DeleteTargetRequest{Id: made.Id})
	must(err)
	_, err = api.GetTarget(ctx, &actions.GetTargetRequest{Id: made.Id})
	fmt.Println("deleted", status.Code(err))
}

func printMessages() {
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	var add func(file protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	add(actions.File_zitadel_action_v2_action_service_proto)
	encoded, err := proto.Marshal(set)
	must(err)
	fmt.Println(base64.StdEncoding.EncodeToString(encoded))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
