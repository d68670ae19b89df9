"""gate.py LISTEN-PORT SERVER-PORT: passes connections on to a server of 127.0.0.1, and at SIGUSR1 ends all there are, as a network does that breaks."""
import asyncio
import signal
import sys

ends = set()


async def pass_on(reader, writer):
    ends.add(writer)
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        ends.discard(writer)
        writer.close()


def cut():
    for writer in list(ends):
        writer.transport.abort()


async def main(port, server):
    async def connected(reader, writer):
        try:
            to_server, from_client = await asyncio.open_connection("127.0.0.1", server)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pass_on(reader, from_client), pass_on(to_server, writer))

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, cut)
    async with await asyncio.start_server(connected, "127.0.0.1", port) as listening:
        await listening.serve_forever()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
