// The vendors' own clients against `postino sandbox --proxy`: they know the vendors' real
// addresses, HTTPS_PROXY and the CA (NODE_EXTRA_CA_CERTS), and nothing else of the sandbox.
// Prints a line for each check; exits 1 when one fails.
const assert = require('node:assert')
const crypto = require('node:crypto')
const fs = require('node:fs')
const undici = require('undici')
undici.setGlobalDispatcher(new undici.EnvHttpProxyAgent()) // what fetch of this Node.js does not do by itself

const o = JSON.parse(process.env.SANDBOX)
const graphScope = 'https://graph.microsoft.com/.default'
const authority = 'https://login.microsoftonline.com/' + o.tenant
const proxyUrl = process.env.HTTPS_PROXY
const user = '/users/' + o.from

let failed = 0
async function check (name, run) {
  try {
    await run()
    console.log('ok ' + name)
  } catch (err) {
    failed++
    console.log('FAILED ' + name + ': ' + (err && err.stack || err) + ' ' + JSON.stringify(err))
  }
}

async function refused (promise, pattern) {
  try {
    await promise
  } catch (err) {
    const text = [err.code, err.errorCode, err.message, err.body, err.status, err.statusCode].join(' ')
    assert.match(text, pattern)
    return
  }
  assert.fail('it was not refused')
}

async function delivered () {
  const res = await undici.request(o.control + '/deliveries', { dispatcher: new undici.Agent() })
  return await res.body.json()
}

// One delivery more than before, with what the check says of it.
async function delivers (run, look) {
  const before = (await delivered()).length
  await run()
  const after = await delivered()
  assert.strictEqual(after.length, before + 1, 'messages delivered')
  if (look) look(after[after.length - 1])
}

async function microsoft () {
  const msal = require('@azure/msal-node')
  const identity = require('@azure/identity')
  const pem = fs.readFileSync(o.certificate, 'utf8')
  const privateKey = crypto.createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem' })
  const thumbprintSha256 = new crypto.X509Certificate(pem).fingerprint256.replaceAll(':', '')
  const fetchModule = { // the network of msal-node, by way of fetch
    async sendGetRequestAsync (url, options) { return this.send('GET', url, options) },
    async sendPostRequestAsync (url, options) { return this.send('POST', url, options) },
    async send (method, url, options) {
      const res = await fetch(url, { method, headers: options && options.headers, body: options && options.body })
      return { headers: Object.fromEntries(res.headers), body: await res.json(), status: res.status }
    }
  }
  const app = auth => new msal.ConfidentialClientApplication({
    auth: { clientId: o.clientId, authority, ...auth }, system: { proxyUrl, networkClient: fetchModule }
  })
  await check('msal-node: secret', async () => {
    const r = await app({ clientSecret: o.clientSecret }).acquireTokenByClientCredential({ scopes: [graphScope] })
    assert.ok(r.accessToken)
  })
  await check('msal-node: certificate', async () => {
    const r = await app({ clientCertificate: { thumbprintSha256, privateKey } }).acquireTokenByClientCredential({ scopes: [graphScope] })
    assert.ok(r.accessToken)
  })
  await check('msal-node: assertion of another issuer', async () => {
    const r = await app({ clientAssertion: fs.readFileSync(o.federatedToken, 'utf8') }).acquireTokenByClientCredential({ scopes: [graphScope] })
    assert.ok(r.accessToken)
  })
  await check('msal-node: a wrong secret is AADSTS7000215', () =>
    refused(app({ clientSecret: 'wrong' }).acquireTokenByClientCredential({ scopes: [graphScope] }), /7000215/))
  await check('msal-node: an unknown tenant is AADSTS90002', () => refused(new msal.ConfidentialClientApplication({
    auth: { clientId: o.clientId, authority: 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555', clientSecret: 'x' },
    system: { proxyUrl, networkClient: fetchModule }
  }).acquireTokenByClientCredential({ scopes: [graphScope] }), /90002/))

  const secret = new identity.ClientSecretCredential(o.tenant, o.clientId, o.clientSecret)
  for (const [name, credential] of Object.entries({
    ClientSecretCredential: secret,
    ClientCertificateCredential: new identity.ClientCertificateCredential(o.tenant, o.clientId, { certificatePath: o.certificate }),
    ClientAssertionCredential: new identity.ClientAssertionCredential(o.tenant, o.clientId, async () => fs.readFileSync(o.federatedToken, 'utf8')),
    WorkloadIdentityCredential: new identity.WorkloadIdentityCredential({ tenantId: o.tenant, clientId: o.clientId, tokenFilePath: o.federatedToken })
  })) {
    await check('@azure/identity: ' + name, async () => {
      const token = await credential.getToken(graphScope)
      assert.ok(token.token && token.expiresOnTimestamp > Date.now())
    })
  }
  await graph(secret)
  const outlook = await secret.getToken('https://outlook.office365.com/.default')
  await mail('smtp.office365.com', 587, { accessToken: outlook.token })
}

const MIME = subject => Buffer.from('From: ' + o.from + '\r\nTo: anna@example.com\r\nSubject: ' + subject +
  '\r\nMessage-ID: <' + crypto.randomUUID() + '@contoso.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n' +
  '--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\nContent-Type: text/csv\r\n' +
  'Content-Disposition: attachment; filename="a.csv"\r\nContent-Transfer-Encoding: base64\r\n\r\nYTtiCg==\r\n--b--\r\n')

async function graph (credential) {
  const { Client, LargeFileUploadTask, FileUpload, PageIterator, BatchRequestContent, BatchResponseContent } =
    require('@microsoft/microsoft-graph-client')
  const { TokenCredentialAuthenticationProvider } = require('@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials')
  const client = Client.initWithMiddleware({ authProvider: new TokenCredentialAuthenticationProvider(credential, { scopes: [graphScope] }) })
  const to = address => [{ emailAddress: { address } }]
  const message = (subject, more) => ({
    subject, body: { contentType: 'Text', content: 'Hello ' + subject }, toRecipients: to('anna@example.com'), ...more
  })
  await check('graph: sendMail', () => delivers(
    () => client.api(user + '/sendMail').post({ message: message('plain'), saveToSentItems: true }),
    d => assert.strictEqual(d.subject, 'plain')))
  await check('graph: sendMail in MIME', () => delivers(
    () => client.api(user + '/sendMail').header('Content-Type', 'text/plain').post(MIME('mime').toString('base64')),
    d => assert.strictEqual(d.subject, 'mime')))
  await check('graph: sendMail with an attachment', () => delivers(() => client.api(user + '/sendMail').post({
    message: message('file', {
      attachments: [{ '@odata.type': '#microsoft.graph.fileAttachment', name: 'a.txt', contentType: 'text/plain', contentBytes: 'SGVsbG8=' }]
    })
  })))
  await check('graph: a draft is made, changed, read and sent', async () => {
    const draft = await client.api(user + '/messages').post(message('draft'))
    assert.ok(draft.isDraft && draft.body.content.startsWith('Hello draft'))
    const changed = await client.api(user + '/messages/' + draft.id).update({ subject: 'changed', importance: 'high', categories: ['A'] })
    assert.strictEqual(changed.subject + changed.importance + changed.categories, 'changedhighA')
    await client.api(user + '/messages/' + draft.id + '/attachments').post({
      '@odata.type': '#microsoft.graph.fileAttachment', name: 'b.txt', contentType: 'text/plain', contentBytes: 'SGVsbG8='
    })
    const list = await client.api(user + '/messages/' + draft.id + '/attachments').get()
    assert.strictEqual(list.value.length, 1)
    const one = await client.api(user + '/messages/' + draft.id + '/attachments/' + list.value[0].id).get()
    assert.strictEqual(one.contentBytes, 'SGVsbG8=')
    const value = await client.api(user + '/messages/' + draft.id + '/$value').responseType('text').get()
    assert.match(value, /Subject: changed/)
    await delivers(() => client.api(user + '/messages/' + draft.id + '/send').post({}).catch(err => {
      if (err.statusCode !== 400) throw err // the client sends "{}", which send does not take: retried without a body
      return client.api(user + '/messages/' + draft.id + '/send').post()
    }), d => assert.strictEqual(d.subject, 'changed'))
  })
  await check('graph: LargeFileUploadTask', async () => {
    const content = crypto.randomBytes(5 << 20)
    const draft = await client.api(user + '/messages').post(message('large'))
    const session = await LargeFileUploadTask.createUploadSession(client,
      'https://graph.microsoft.com/v1.0' + user + '/messages/' + draft.id + '/attachments/createUploadSession',
      { AttachmentItem: { attachmentType: 'file', name: 'large.bin', size: content.length } })
    assert.ok(session.url.startsWith('https://outlook.office.com/'), session.url)
    const task = new LargeFileUploadTask(client, new FileUpload(content, 'large.bin', content.length), session, { rangeSize: 320 * 1024 * 6 })
    await task.upload()
    await delivers(() => client.api(user + '/messages/' + draft.id + '/send').post(), d => assert.ok(d.size > content.length))
    const sent = (await client.api(user + '/mailFolders/sentitems/messages').filter("subject eq 'large'").get()).value[0]
    const files = await client.api(user + '/messages/' + sent.id + '/attachments').get()
    const bytes = Buffer.from(await client.api(user + '/messages/' + sent.id + '/attachments/' + files.value[0].id + '/$value')
      .responseType('arraybuffer').get())
    assert.ok(bytes.equals(content))
  })
  await check('graph: PageIterator over @odata.nextLink', async () => {
    const names = new Set()
    for (let i = 0; i < 7; i++) {
      await client.api(user + '/messages').post(message('page ' + i))
      names.add('page ' + i)
    }
    const first = await client.api(user + '/messages').filter("startswith(subject,'page ')").select('subject').top(3).count(true).get()
    assert.strictEqual(first['@odata.count'], 7)
    await new PageIterator(client, first, m => names.delete(m.subject)).iterate()
    assert.strictEqual(names.size, 0)
  })
  await check('graph: $orderby, $filter on dates, $search, $count', async () => {
    const list = await client.api(user + '/messages').orderby('subject desc').select('subject').top(50).get()
    const subjects = list.value.map(m => m.subject.toLowerCase())
    assert.deepStrictEqual(subjects, [...subjects].sort().reverse())
    const since = new Date(Date.now() - 3600e3).toISOString()
    assert.ok((await client.api(user + '/messages').filter('receivedDateTime ge ' + since).get()).value.length > 0)
    assert.strictEqual((await client.api(user + '/messages').filter('receivedDateTime lt ' + since).get()).value.length, 0)
    assert.strictEqual((await client.api(user + '/messages').search('"subject:mime"').get()).value.length, 1)
    assert.ok(Number(await client.api(user + '/messages/$count').responseType('text').get()) > 7)
  })
  await check('graph: reply and forward', async () => {
    const sent = (await client.api(user + '/mailFolders/sentitems/messages').filter("subject eq 'mime'").get()).value[0]
    await delivers(() => client.api(user + '/messages/' + sent.id + '/reply').post({ comment: 'Yes' }),
      d => assert.strictEqual(d.subject, 'RE: mime'))
    await delivers(() => client.api(user + '/messages/' + sent.id + '/forward').post({ comment: 'See', toRecipients: to('bob@example.com') }),
      d => assert.deepStrictEqual(d.recipients, ['bob@example.com']))
    const draft = await client.api(user + '/messages/' + sent.id + '/createReplyAll').post({ comment: 'x' })
    assert.ok(draft.isDraft && draft.subject === 'RE: mime')
    await client.api(user + '/messages/' + draft.id).delete()
  })
  await check('graph: mailFolders', async () => {
    const folders = await client.api(user + '/mailFolders').top(50).get()
    assert.ok(folders.value.some(f => f.displayName === 'Sent Items'))
    const made = await client.api(user + '/mailFolders').post({ displayName: 'Invoices' })
    const draft = await client.api(user + '/messages').post(message('moved'))
    const moved = await client.api(user + '/messages/' + draft.id + '/move').post({ destinationId: made.id })
    assert.strictEqual(moved.parentFolderId, made.id)
    assert.strictEqual((await client.api(user + '/mailFolders/' + made.id).get()).totalItemCount, 1)
  })
  await check('graph: $batch', async () => {
    const request = (id, path, init) => ({ id, request: new Request('https://graph.microsoft.com/v1.0' + path, init) })
    const content = new BatchRequestContent([
      request('1', user + '/messages?$top=1'), request('2', '/me/messages'),
      request('3', user + '/messages', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(message('batch')) })
    ])
    const answer = new BatchResponseContent(await client.api('/$batch').post(await content.getContent()))
    assert.deepStrictEqual(['1', '2', '3'].map(id => answer.getResponseById(id).status), [200, 400, 201])
  })
  await check('graph: /me is refused', () => refused(client.api('/me').get(), /delegated authentication flow/))
  await check('graph: a mailbox that does not exist', () => refused(
    client.api('/users/nouser@contoso.example/sendMail').post({ message: message('x') }), /ErrorInvalidUser/))
}

async function google () {
  const { google } = require('googleapis')
  const { GoogleAuth, JWT } = require('google-auth-library')
  const key = JSON.parse(fs.readFileSync(o.serviceAccount, 'utf8'))
  const scopes = ['https://mail.google.com/']
  await check('google-auth-library: JWT', async () => {
    const token = await new JWT({ email: key.client_email, key: key.private_key, scopes, subject: o.from }).authorize()
    assert.ok(token.access_token)
  })
  await check('google-auth-library: a scope that is not delegated', () => refused(
    new JWT({ email: key.client_email, key: key.private_key, scopes: ['https://www.googleapis.com/auth/gmail.settings.basic'], subject: o.from })
      .authorize(), /unauthorized_client/))
  const auth = new GoogleAuth({ keyFile: o.serviceAccount, scopes, clientOptions: { subject: o.from } })
  const users = google.gmail({ version: 'v1', auth }).users
  const base = { userId: 'me' }
  const raw = subject => MIME(subject).toString('base64url')
  let sent
  await check('gmail: send raw', () => delivers(async () => {
    sent = (await users.messages.send({ ...base, requestBody: { raw: raw('raw') } })).data
  }, d => assert.strictEqual(d.subject, 'raw')))
  await check('gmail: send by upload', () => delivers(() =>
    users.messages.send({ ...base, requestBody: {}, media: { mimeType: 'message/rfc822', body: MIME('upload').toString() } })))
  await check('gmail: get full, raw, metadata, minimal', async () => {
    const full = (await users.messages.get({ ...base, id: sent.id })).data
    assert.strictEqual(full.payload.mimeType, 'multipart/mixed')
    assert.strictEqual(Buffer.from(full.payload.parts[0].body.data, 'base64url').toString().trim(), 'Hello')
    assert.strictEqual(full.payload.parts[1].filename, 'a.csv')
    const file = (await users.messages.attachments.get({ ...base, messageId: sent.id, id: full.payload.parts[1].body.attachmentId })).data
    assert.strictEqual(Buffer.from(file.data, 'base64url').toString(), 'a;b\n')
    const whole = (await users.messages.get({ ...base, id: sent.id, format: 'raw' })).data
    assert.match(Buffer.from(whole.raw, 'base64url').toString(), /Subject: raw/)
    const head = (await users.messages.get({ ...base, id: sent.id, format: 'metadata', metadataHeaders: ['Subject'] })).data
    assert.deepStrictEqual(head.payload.headers, [{ name: 'Subject', value: 'raw' }])
    assert.ok(!(await users.messages.get({ ...base, id: sent.id, format: 'minimal' })).data.payload)
  })
  await check('gmail: queries and pages', async () => {
    const count = async q => ((await users.messages.list({ ...base, q })).data.messages || []).length
    for (const [q, n] of Object.entries({
      'subject:raw': 1, 'in:sent': 2, 'in:sent subject:upload': 1, 'to:anna@example.com -subject:raw': 1, 'has:attachment filename:a.csv': 2,
      'newer_than:1d': 2, 'before:2020/01/01': 0, 'subject:raw OR subject:upload': 2, 'in:trash': 0, 'from:nobody': 0
    })) assert.strictEqual(await count(q), n, q)
    const first = (await users.messages.list({ ...base, maxResults: 1 })).data
    const second = (await users.messages.list({ ...base, maxResults: 1, pageToken: first.nextPageToken })).data
    assert.ok(first.nextPageToken && first.messages[0].id !== second.messages[0].id)
  })
  await check('gmail: drafts', async () => {
    const draft = (await users.drafts.create({ ...base, requestBody: { message: { raw: raw('draft') } } })).data
    await users.drafts.update({ ...base, id: draft.id, requestBody: { message: { raw: raw('draft 2') } } })
    assert.strictEqual((await users.drafts.list(base)).data.drafts.length, 1)
    assert.match(JSON.stringify((await users.drafts.get({ ...base, id: draft.id })).data), /draft 2/)
    await delivers(() => users.drafts.send({ ...base, requestBody: { id: draft.id } }), d => assert.strictEqual(d.subject, 'draft 2'))
    assert.ok(!(await users.drafts.list(base)).data.drafts)
    const other = (await users.drafts.create({ ...base, requestBody: {}, media: { mimeType: 'message/rfc822', body: MIME('d').toString() } })).data
    await users.drafts.delete({ ...base, id: other.id })
    await refused(users.drafts.get({ ...base, id: other.id }), /404|not found/i)
  })
  await check('gmail: labels, threads, trash', async () => {
    const label = (await users.labels.create({ ...base, requestBody: { name: 'ERP' } })).data
    await users.messages.modify({ ...base, id: sent.id, requestBody: { addLabelIds: [label.id] } })
    assert.strictEqual((await users.messages.list({ ...base, q: 'label:erp' })).data.messages.length, 1)
    assert.ok((await users.labels.list(base)).data.labels.some(l => l.name === 'ERP'))
    const thread = (await users.threads.get({ ...base, id: sent.threadId })).data
    assert.strictEqual(thread.messages[0].id, sent.id)
    assert.ok((await users.threads.list(base)).data.threads.length > 0)
    await users.messages.trash({ ...base, id: sent.id })
    assert.strictEqual((await users.messages.list({ ...base, q: 'subject:raw' })).data.messages, undefined)
    assert.strictEqual((await users.getProfile(base)).data.emailAddress, o.from)
    assert.ok((await users.settings.sendAs.list(base)).data.sendAs.length > 0)
  })
  const token = (await (await auth.getClient()).getAccessToken()).token
  await mail('smtp.gmail.com', 465, { accessToken: token })
  await mail('smtp.gmail.com', 587, { accessToken: token })
}

async function mail (host, port, oauth) {
  const nodemailer = require('nodemailer')
  await check('nodemailer: XOAUTH2 at ' + host + ':' + port, () => delivers(async () => {
    const transport = nodemailer.createTransport({
      host, port, secure: port === 465, requireTLS: true, proxy: proxyUrl, auth: { type: 'OAuth2', user: o.from, ...oauth }
    })
    await transport.sendMail({ from: o.from, to: 'anna@example.com', subject: 'by ' + host, text: 'Hello' })
    transport.close()
  }, d => assert.strictEqual(d.service, 'smtp')))
  await check('nodemailer: a token that is none, at ' + host, () => refused(nodemailer.createTransport({
    host, port, secure: port === 465, requireTLS: true, proxy: proxyUrl, auth: { type: 'OAuth2', user: o.from, accessToken: 'none' }
  }).sendMail({ from: o.from, to: 'anna@example.com', text: 'x' }), /EAUTH/))
}

microsoft().then(google).catch(err => {
  failed++
  console.log('FAILED: ' + err.stack)
}).finally(() => process.exit(failed ? 1 : 0))
