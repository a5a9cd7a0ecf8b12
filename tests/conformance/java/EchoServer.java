// Serves echo.v1.Echo with the cases of tests/support/echo_kinds.py, and reflection.
//
// Its argument is a FileDescriptorSet of that file. It prints its address as JSON. The metadata x-case names the case; "notes" answers with what
// happened to calls that wait, as JSON in `name`, and "forget" clears that.

import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoFileDescriptorSupplier;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.stream.Collectors;

public final class EchoServer {
  private static final String SERVICE = "echo.v1.Echo";
  private static final int AHEAD = 100;
  private static final ExecutorService THREADS = Executors.newCachedThreadPool();
  private static final Map<String, List<String>> NOTES = new HashMap<>();
  private static final Map<String, Case> CASES = new LinkedHashMap<>();

  private static Descriptor request;
  private static Descriptor reply;

  private interface Case {
    void run(Call call) throws Exception;
  }

  private interface EachCount {
    void accept(int count) throws Exception;
  }

  static {
    CASES.put("answers_each", call -> call.each(call::yield));
    CASES.put("answers_after_the_last", call -> call.yield(call.sum()));
    CASES.put("ends_after_the_first", call -> call.yield(call.next().orElseThrow()));
    CASES.put("reads_nothing", call -> call.yield(1));
    CASES.put("sends_metadata_between", EchoServer::sendMetadata);
    CASES.put("aborts_before_reading", call -> call.abort(Status.NOT_FOUND, "gone", "x-a", "1"));
    CASES.put("aborts_after_the_first", EchoServer::abortAfterFirst);
    CASES.put("aborts_after_the_last", EchoServer::abortAfterLast);
    CASES.put("sets_a_code_and_goes_on", EchoServer::loseAll);
    CASES.put("sets_a_code_and_raises", EchoServer::loseFirst);
    CASES.put("reads", call -> call.each(call::yield));
    CASES.put("reads_behind_the_end", EchoServer::readBehindEnd);
    CASES.put("reads_and_iterates", EchoServer::multiply);
    CASES.put("iterates_twice", EchoServer::iterateTwice);
    CASES.put("reads_in_a_task", EchoServer::readInThread);
    CASES.put("waits", EchoServer::await);
    CASES.put("notes", EchoServer::tellNotes);
    CASES.put("forget", EchoServer::forgetNotes);
  }

  /** One call of any kind: a method without a stream of responses answers with the last. */
  private static final class Call extends ServerCall.Listener<DynamicMessage> {
    private final LinkedBlockingQueue<OptionalInt> counts = new LinkedBlockingQueue<>();
    private final CountDownLatch cancelled = new CountDownLatch(1);
    private final ServerCall<DynamicMessage, DynamicMessage> call;
    private final boolean streams;
    private final String over;
    private final Metadata trailers = new Metadata();
    private boolean isEnded;
    private boolean hasHeaders;
    private DynamicMessage last = DynamicMessage.getDefaultInstance(reply);

    Call(ServerCall<DynamicMessage, DynamicMessage> call, Metadata given) {
      this.call = call;
      this.streams = !call.getMethodDescriptor().getType().serverSendsOneMessage();
      this.over = String.valueOf(given.get(text("x-over")));
      String name = String.valueOf(given.get(text("x-case")));
      call.request(AHEAD);
      THREADS.execute(() -> run(name));
    }

    @Override
    public void onMessage(DynamicMessage message) {
      counts.add(OptionalInt.of((int) message.getField(request.findFieldByName("count"))));
    }

    @Override
    public void onHalfClose() {
      counts.add(OptionalInt.empty());
    }

    @Override
    public void onCancel() {
      cancelled.countDown();
      counts.add(OptionalInt.empty());
    }

    private void run(String name) {
      Status status = Status.OK;
      Metadata ending = trailers;
      try {
        Case asked = CASES.get(name);
        if (asked == null) {
          throw Status.UNIMPLEMENTED
              .withDescription("x-case: expected a case, got " + name)
              .asException();
        }
        asked.run(this);
        if (!streams) {
          send(last);
        }
      } catch (StatusException error) {
        status = error.getStatus();
        ending = error.getTrailers() == null ? trailers : error.getTrailers();
      } catch (Exception error) {
        status = Status.INTERNAL.withDescription(error.toString());
      }
      if (!call.isCancelled()) {
        call.close(status, ending);
      }
    }

    /** Returns the count of the next request; none behind the last. */
    OptionalInt next() throws InterruptedException {
      if (isEnded) {
        return OptionalInt.empty();
      }
      OptionalInt count = counts.take();
      isEnded = count.isEmpty();
      return count;
    }

    void each(EachCount action) throws Exception {
      for (OptionalInt count = next(); count.isPresent(); count = next()) {
        action.accept(count.getAsInt());
      }
    }

    int sum() throws Exception {
      int sum = 0;
      for (OptionalInt count = next(); count.isPresent(); count = next()) {
        sum += count.getAsInt();
      }
      return sum;
    }

    void yield(int index) {
      DynamicMessage made = replyWith("index", index);
      if (streams) {
        send(made);
      } else {
        last = made;
      }
    }

    void sendHeaders(Metadata headers) {
      hasHeaders = true;
      call.sendHeaders(headers);
    }

    private void send(DynamicMessage message) {
      if (!hasHeaders) {
        sendHeaders(new Metadata());
      }
      call.sendMessage(message);
    }

    void abort(Status status, String message, String... trailing) throws StatusException {
      Metadata trailers = new Metadata();
      for (int at = 0; at < trailing.length; at += 2) {
        trailers.put(text(trailing[at]), trailing[at + 1]);
      }
      throw status.withDescription(message).asException(trailers);
    }

    void note(String note) {
      synchronized (NOTES) {
        NOTES.computeIfAbsent(over, key -> new ArrayList<>()).add(note);
      }
    }
  }

  private static void sendMetadata(Call call) throws Exception {
    call.each(
        count -> {
          if (count == 3) {
            Metadata headers = new Metadata();
            headers.put(text("x-first"), "1");
            headers.put(bytes("x-first-bin"), new byte[] {0, (byte) 0xff});
            call.sendHeaders(headers);
          }
          call.yield(count);
        });
    call.trailers.put(text("x-last"), "2");
    call.trailers.put(bytes("x-last-bin"), new byte[] {(byte) 0xff});
  }

  private static void abortAfterFirst(Call call) throws Exception {
    call.yield(call.next().orElseThrow());
    call.abort(Status.FAILED_PRECONDITION, "enough", "x-a", "1");
  }

  private static void abortAfterLast(Call call) throws Exception {
    call.each(call::yield);
    call.abort(Status.OUT_OF_RANGE, "no more");
  }

  private static void loseAll(Call call) throws Exception {
    int[] last = {0};
    call.each(
        count -> {
          last[0] = count;
          call.yield(count);
        });
    call.abort(Status.DATA_LOSS, "lost " + last[0]);
  }

  private static void loseFirst(Call call) throws Exception {
    call.yield(call.next().orElseThrow());
    call.abort(Status.DATA_LOSS, "lost");
  }

  private static void readBehindEnd(Call call) throws Exception {
    int sum = call.sum();
    if (call.next().isPresent() || call.next().isPresent()) {
      call.abort(Status.INTERNAL, "expected the end of requests again");
    }
    call.yield(sum);
  }

  private static void multiply(Call call) throws Exception {
    int first = call.next().orElseThrow();
    call.each(count -> call.yield(first * count));
  }

  private static void iterateTwice(Call call) throws Exception {
    call.yield(call.next().orElseThrow());
    call.each(count -> call.yield(count * 10));
  }

  private static void readInThread(Call call) throws Exception {
    LinkedBlockingQueue<OptionalInt> read = new LinkedBlockingQueue<>();
    THREADS.submit(
        () -> {
          call.each(count -> read.add(OptionalInt.of(count)));
          read.add(OptionalInt.empty());
          return null;
        });
    for (OptionalInt count = read.take(); count.isPresent(); count = read.take()) {
      call.yield(count.getAsInt());
    }
  }

  /** Answers each request, then waits for the end of the call; notes what it sees. */
  private static void await(Call call) throws Exception {
    call.each(
        count -> {
          call.note("got " + count);
          call.yield(count);
        });
    call.cancelled.await();
    call.note("cancelled");
    call.note("done");
  }

  private static void tellNotes(Call call) {
    synchronized (NOTES) {
      String json =
          NOTES.entrySet().stream()
              .map(each -> quoted(each.getKey()) + ": " + each.getValue().stream()
                  .map(EchoServer::quoted).collect(Collectors.joining(", ", "[", "]")))
              .collect(Collectors.joining(", ", "{", "}"));
      call.last = replyWith("name", json);
    }
  }

  private static void forgetNotes(Call call) {
    synchronized (NOTES) {
      NOTES.clear();
    }
  }

  private static DynamicMessage replyWith(String field, Object value) {
    return DynamicMessage.newBuilder(reply)
        .setField(reply.findFieldByName(field), value)
        .build();
  }

  private static String quoted(String text) {
    return '"' + text + '"';
  }

  private static Metadata.Key<String> text(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static Metadata.Key<byte[]> bytes(String name) {
    return Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER);
  }

  private static final class File implements ProtoFileDescriptorSupplier {
    @Override
    public FileDescriptor getFileDescriptor() {
      return reply.getFile();
    }
  }

  private static MethodDescriptor<DynamicMessage, DynamicMessage> method(String name, MethodType type) {
    return MethodDescriptor.<DynamicMessage, DynamicMessage>newBuilder()
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .setRequestMarshaller(ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(request)))
        .setResponseMarshaller(ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(reply)))
        .setSchemaDescriptor(new File())
        .build();
  }

  public static void main(String[] arguments) throws Exception {
    try (InputStream read = new FileInputStream(arguments[0])) {
      FileDescriptor file =
          FileDescriptor.buildFrom(
              FileDescriptorSet.parseFrom(read).getFile(0), new FileDescriptor[0]);
      request = file.findMessageTypeByName("EchoRequest");
      reply = file.findMessageTypeByName("EchoReply");
    }
    List<MethodDescriptor<DynamicMessage, DynamicMessage>> methods =
        List.of(
            method("Say", MethodType.UNARY),
            method("Repeat", MethodType.SERVER_STREAMING),
            method("Count", MethodType.CLIENT_STREAMING),
            method("Talk", MethodType.BIDI_STREAMING));
    ServiceDescriptor.Builder described =
        ServiceDescriptor.newBuilder(SERVICE).setSchemaDescriptor(new File());
    methods.forEach(described::addMethod);
    ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(described.build());
    methods.forEach(each -> service.addMethod(each, Call::new));
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .addService(service.build())
            .addService(ProtoReflectionServiceV1.newInstance())
            .build()
            .start();
    System.out.println("{\"grpc\": \"127.0.0.1:" + server.getPort() + "\"}");
    System.out.flush();
    server.awaitTermination();
  }
}
