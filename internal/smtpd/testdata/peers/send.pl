# Net::SMTP sends a file: host port from to bcc file
use strict;
use warnings;
use Net::SMTP;

my ($host, $port, $from, $to, $bcc, $file) = @ARGV;
my $s = Net::SMTP->new($host, Port => $port, Hello => 'pc.contoso.example', Timeout => 60) or die "connect: $@";
$s->mail($from) or die 'MAIL: ' . $s->message;
$s->recipient($to, $bcc) or die 'RCPT: ' . $s->message;
$s->data or die 'DATA: ' . $s->message;
open my $f, '<:raw', $file or die "$file: $!";
while (my $line = <$f>) { $s->datasend($line) or die 'send'; }
$s->dataend or die 'end: ' . $s->message;
$s->quit;
