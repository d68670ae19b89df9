"""What several tests need: both clients behind one blocking face, and a sidecar whose answers are written down beforehand."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf.any_pb2 import Any

import holdfast
import holdfast.aio
from holdfast.wire import messages_pb2 as wire

KINDS = ("blocking", "awaited")


class Awaited:
    """Whatever an async object has, as if it were blocking: what its methods return is run to its end in one loop."""

    def __init__(self, inner, loop):
        self._inner, self._loop = inner, loop

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*arguments, **named):
            outcome = found(*arguments, **named)
            if asyncio.iscoroutine(outcome):
                return self._loop.run_until_complete(outcome)
            if isinstance(outcome, holdfast.aio.Watch):
                return AwaitedWatch(outcome, self._loop)
            if hasattr(outcome, "__aiter__"):
                return self._loop.run_until_complete(collect(outcome))
            return Awaited(outcome, self._loop)

        return call


class AwaitedWatch(Awaited):
    """Has no end, and gives one event after the other."""

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self._loop.run_until_complete(anext(self._inner))
        except StopAsyncIteration:
            raise StopIteration from None


async def collect(items):
    return [item async for item in items]


class Clients:
    """Makes clients of one kind, and closes them in the end."""

    def __init__(self, kind):
        self.loop = asyncio.new_event_loop() if kind == "awaited" else None
        self.made = []

    def __call__(self, *arguments, **settings):
        if self.loop is None:
            self.made.append(holdfast.Client(*arguments, **settings))
        else:
            self.made.append(Awaited(holdfast.aio.Client(*arguments, **settings), self.loop))
        return self.made[-1]

    def close(self):
        for client in self.made:
            client.close()
        if self.loop:
            self.loop.close()


def refusal(code, message="refused", reason="", **metadata):
    """A failure as the sidecar tells it; without a reason, as gRPC itself makes it."""

    def answer(context):
        if reason:
            info = wire.ErrorInfo(reason=reason, domain="holdfast", metadata=metadata)
            detail = Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
            status = wire.Status(code=code.value[0], message=message, details=[detail])
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
        context.abort(code, message)

    return answer


def reply(message, initial=(), trailing=()):
    def answer(context):
        context.send_initial_metadata(initial)
        context.set_trailing_metadata(trailing)
        return message.SerializeToString()

    return answer


def stream(*messages, then=None):
    """The answer to a Watch: messages, and what follows them, which is the stream's end."""

    def answer(context):
        for message in messages:
            yield message.SerializeToString()
        if then is not None:
            then(context)

    return answer


def stay(context):
    """A stream that goes on until its client has gone, which is not later than a test waits."""
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(20)


class ScriptedSidecar(grpc.GenericRpcHandler):
    """A gRPC server on a free port of loopback that gives the answers of `script`, one a call, and keeps what was asked."""

    def __init__(self, *script):
        self.script, self.asked = list(script), []
        self.server = grpc.server(ThreadPoolExecutor(4), handlers=[self])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def service(self, details):
        def answer(request, context):
            self.asked.append((details.method.rpartition("/")[2], request, dict(context.invocation_metadata())))
            return self.script.pop(0)(context)

        if details.method.endswith("/Watch"):
            return grpc.unary_stream_rpc_method_handler(answer)
        return grpc.unary_unary_rpc_method_handler(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(None).wait()
