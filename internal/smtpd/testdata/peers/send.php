<?php
// mail() composes: from to bcc subject file
[$self, $from, $to, $bcc, $subject, $file] = $argv;
$b = 'grenze' . bin2hex(random_bytes(8));
$body = "--$b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    . chunk_split(base64_encode("<p>Perché la <b>qualità</b> è già qui.</p>"))
    . "--$b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"fattura.pdf\"\r\n\r\n"
    . chunk_split(base64_encode(file_get_contents($file))) . "--$b--\r\n";
$headers = ['From' => $from, 'Bcc' => $bcc, 'MIME-Version' => '1.0', 'Content-Type' => "multipart/mixed; boundary=\"$b\""];
exit(mail($to, '=?UTF-8?B?' . base64_encode($subject) . '?=', $body, $headers) ? 0 : 1);
