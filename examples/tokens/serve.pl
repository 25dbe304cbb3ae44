#!/usr/bin/perl
# A server as an inference endpoint is one: it answers a prompt token by token. A service runs it as a process with a
# port; it needs nothing but Perl, which every Debian has.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
my $name = join '', map { int rand 10 } 1 .. 12;
my $server = IO::Socket::INET->new(
  LocalAddr => '127.0.0.1', LocalPort => $ENV{PORT}, Proto => 'tcp', Listen => 128, ReuseAddr => 1
) or die "cannot listen: $!";

while (my $client = $server->accept) {
  my $child = fork;
  die "cannot fork: $!" unless defined $child;
  unless ($child) { serve($client); exit 0 }
  close $client;
}

sub serve {
  my ($client) = @_;
  my ($method, $path) = (<$client> // '') =~ /^(\w+) (\S+)/ or return;
  my %header;
  while (defined(my $line = <$client>)) {
    $line =~ s/\r?\n$//;
    last if $line eq '';
    $header{lc $1} = $2 if $line =~ /^([^:]+):\s*(.*)$/;
  }
  my $body = bodyOf($client, \%header);
  $client->autoflush(1);
  return answer($client, 200, 'well') if $path eq '/health';
  return answer($client, 200, $name) if $path eq '/name';
  return answer($client, 200, join ' ', sort map { "$_=$header{$_}" } keys %header) if $path eq '/headers';
  return answer($client, 200, length $body) if $path eq '/length';
  return complete($client, $body) if $path eq '/v1/completions';
  if ($path eq '/slow') { sleep 20; return answer($client, 200, 'late') }
  if ($path eq '/crash') { kill 'KILL', getppid; return }
  return answer($client, 404, 'nothing here');
}

sub bodyOf {
  my ($client, $header) = @_;
  my $body = '';
  if (($header->{'transfer-encoding'} // '') eq 'chunked') {
    while (my $size = hex(<$client> =~ s/\r\n//r)) {
      read $client, my $chunk, $size;
      $body .= $chunk;
      <$client>;
    }
    <$client>;
  } elsif (my $length = $header->{'content-length'}) {
    read $client, $body, $length;
  }
  return $body;
}

sub answer {
  my ($client, $status, $text) = @_;
  print $client "HTTP/1.1 $status Status\r\nContent-Type: text/plain\r\nContent-Length: ${\length $text}\r\n",
    "Set-Cookie: a=b\r\nX-Name: $name\r\nConnection: close\r\n\r\n$text";
}

# Each word of the prompt comes when the one before has had its time.
sub complete {
  my ($client, $prompt) = @_;
  print $client "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
  for my $token (split ' ', $prompt) {
    print $client "data: $token\n\n";
    select undef, undef, undef, 0.3;
  }
  print $client "data: [DONE]\n\n";
}
