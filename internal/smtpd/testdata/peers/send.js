// nodemailer composes: host port from to bcc subject file
const nodemailer = require('nodemailer');
const [host, port, from, to, bcc, subject, path] = process.argv.slice(2);
nodemailer.createTransport({ host, port: Number(port), tls: { rejectUnauthorized: false } }).sendMail({
  from, to, bcc, subject,
  text: 'Perché la qualità è già qui.\n',
  html: '<p>Perché la <b>qualità</b> è già qui.</p>',
  attachments: [{ filename: 'Società.pdf', path }],
}).catch((err) => { console.error(err); process.exit(1); });
