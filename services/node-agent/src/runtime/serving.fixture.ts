import { text as textOf } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProgramPort } from '../endpoint/program-port.js';

/** Shows the network that it sees, by the tools of busybox or in Perl. */
export const serving = `if [ -x /bin/busybox ]; then
    while :; do { echo 'HTTP/1.0 200 OK'; echo; cat /proc/net/dev; } | nc -l -p "$PORT"; done
  fi
  exec perl -MIO::Socket::INET -e '
    my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 9) or die;
    while (my $client = $server->accept) {
      open my $network, "<", "/proc/net/dev";
      print $client "HTTP/1.0 200 OK\\r\\n\\r\\n", <$network>;
      close $client;
    }'`;

export async function pageAt(port: ProgramPort): Promise<string> {
  for (;;) {
    const socket = await port.connect(new AbortController().signal).catch(() => sleep(50));
    if (!socket) continue;
    socket.write('GET / HTTP/1.0\r\n\r\n');
    return textOf(socket).finally(() => socket.destroy());
  }
}
