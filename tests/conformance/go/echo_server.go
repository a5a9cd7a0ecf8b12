// Serves echo.v1.Echo with the cases of tests/support/echo_kinds.py, and reflection.
//
// It prints its address as JSON. The metadata x-case names the case; "notes" answers with what
// happened to calls that wait, as JSON in `name`, and "forget" clears that.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"client/gen/echo"
)

// call is one call of any kind: a method without a stream of responses answers with the last.
type call struct {
	grpc.ServerStream
	streams bool
	over    string
	last    *echo.EchoReply
}

func (c *call) next() (int32, error) {
	request := new(echo.EchoRequest)
	err := c.RecvMsg(request)
	return request.GetCount(), err
}

func (c *call) yield(index int32) error {
	reply := &echo.EchoReply{Index: index}
	if c.streams {
		return c.SendMsg(reply)
	}
	c.last = reply
	return nil
}

func (c *call) abort(code codes.Code, message string, trailing ...string) error {
	c.SetTrailer(metadata.Pairs(trailing...))
	return status.Error(code, message)
}

// each calls a function with each request, until it ends or returns an error.
func (c *call) each(do func(count int32) error) error {
	for {
		count, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(count); err != nil {
			return err
		}
	}
}

var errEnough = errors.New("enough requests are read")

func (c *call) first(do func(count int32) error) error {
	err := c.each(func(count int32) error {
		if err := do(count); err != nil {
			return err
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (c *call) sum() (int32, error) {
	sum := int32(0)
	err := c.each(func(count int32) error {
		sum += count
		return nil
	})
	return sum, err
}

var cases = map[string]func(*call) error{
	"answers_each":            func(c *call) error { return c.each(c.yield) },
	"answers_after_the_last":  yieldSum,
	"ends_after_the_first":    func(c *call) error { return c.first(c.yield) },
	"reads_nothing":           func(c *call) error { return c.yield(1) },
	"sends_metadata_between":  sendMetadata,
	"aborts_before_reading":   func(c *call) error { return c.abort(codes.NotFound, "gone", "x-a", "1") },
	"aborts_after_the_first":  abortAfterFirst,
	"aborts_after_the_last":   abortAfterLast,
	"sets_a_code_and_goes_on": loseAll,
	"sets_a_code_and_raises":  loseFirst,
	"reads":                   func(c *call) error { return c.each(c.yield) },
	"reads_behind_the_end":    readBehindEnd,
	"reads_and_iterates":      multiply,
	"iterates_twice":          iterateTwice,
	"reads_in_a_task":         readInGoroutine,
	"waits":                   wait,
	"notes":                   tellNotes,
	"forget":                  forgetNotes,
}

func yieldSum(c *call) error {
	sum, err := c.sum()
	if err != nil {
		return err
	}
	return c.yield(sum)
}

func sendMetadata(c *call) error {
	err := c.each(func(count int32) error {
		if count == 3 {
			if err := c.SendHeader(metadata.Pairs("x-first", "1", "x-first-bin", "\x00\xff")); err != nil {
				return err
			}
		}
		return c.yield(count)
	})
	c.SetTrailer(metadata.Pairs("x-last", "2", "x-last-bin", "\xff"))
	return err
}

func abortAfterFirst(c *call) error {
	if err := c.first(c.yield); err != nil {
		return err
	}
	return c.abort(codes.FailedPrecondition, "enough", "x-a", "1")
}

func abortAfterLast(c *call) error {
	if err := c.each(c.yield); err != nil {
		return err
	}
	return c.abort(codes.OutOfRange, "no more")
}

func loseAll(c *call) error {
	last := int32(0)
	err := c.each(func(count int32) error {
		last = count
		return c.yield(count)
	})
	if err != nil {
		return err
	}
	return c.abort(codes.DataLoss, fmt.Sprintf("lost %d", last))
}

func loseFirst(c *call) error {
	if err := c.first(c.yield); err != nil {
		return err
	}
	return c.abort(codes.DataLoss, "lost")
}

func readBehindEnd(c *call) error {
	sum, err := c.sum()
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := c.next(); !errors.Is(err, io.EOF) {
			return status.Error(codes.Internal, "expected the end of requests again")
		}
	}
	return c.yield(sum)
}

func multiply(c *call) error {
	first, err := c.next()
	if err != nil {
		return err
	}
	return c.each(func(count int32) error { return c.yield(first * count) })
}

func iterateTwice(c *call) error {
	if err := c.first(c.yield); err != nil {
		return err
	}
	return c.each(func(count int32) error { return c.yield(count * 10) })
}

func readInGoroutine(c *call) error {
	counts := make(chan int32, 8)
	failed := make(chan error, 1)
	go func() {
		failed <- c.each(func(count int32) error {
			counts <- count
			return nil
		})
		close(counts)
	}()
	for count := range counts {
		if err := c.yield(count); err != nil {
			return err
		}
	}
	return <-failed
}

var notes = struct {
	sync.Mutex
	of map[string][]string
}{of: map[string][]string{}}

func (c *call) note(text string) {
	notes.Lock()
	defer notes.Unlock()
	notes.of[c.over] = append(notes.of[c.over], text)
}

// wait answers each request, then waits for the end of the call; it notes what it sees.
func wait(c *call) error {
	defer c.note("done")
	_ = c.each(func(count int32) error {
		c.note(fmt.Sprintf("got %d", count))
		return c.yield(count)
	})
	<-c.Context().Done()
	c.note("cancelled")
	return status.FromContextError(c.Context().Err()).Err()
}

func tellNotes(c *call) error {
	notes.Lock()
	defer notes.Unlock()
	text, err := json.Marshal(notes.of)
	c.last = &echo.EchoReply{Name: string(text)}
	return err
}

func forgetNotes(*call) error {
	notes.Lock()
	defer notes.Unlock()
	notes.of = map[string][]string{}
	return nil
}

func serve(_ any, stream grpc.ServerStream, streams bool) error {
	given, _ := metadata.FromIncomingContext(stream.Context())
	called := &call{ServerStream: stream, streams: streams}
	if over := given.Get("x-over"); len(over) > 0 {
		called.over = over[0]
	}
	named := append(given.Get("x-case"), "")[0]
	run, isKnown := cases[named]
	if !isKnown {
		return status.Errorf(codes.Unimplemented, "x-case: expected a case, got %q", named)
	}
	if err := run(called); err != nil || streams {
		return err
	}
	if called.last == nil {
		called.last = &echo.EchoReply{}
	}
	return stream.SendMsg(called.last)
}

func method(name string, requests, responses bool) grpc.StreamDesc {
	return grpc.StreamDesc{
		StreamName:    name,
		ClientStreams: requests,
		ServerStreams: responses,
		Handler:       func(server any, stream grpc.ServerStream) error { return serve(server, stream, responses) },
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "echo.v1.Echo",
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			method("Say", false, false),
			method("Repeat", false, true),
			method("Count", true, false),
			method("Talk", true, true),
		},
		Metadata: "tests/proto/echo.proto",
	}, struct{}{})
	reflection.Register(server)
	fmt.Printf("{\"grpc\": %q}\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
