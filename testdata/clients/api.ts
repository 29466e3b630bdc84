// A program that knows postino by the types made from its OpenAPI document alone:
// it is compiled with --strict, then run against a server (internal/api).
import type { components, operations, paths, webhooks } from "./postino";

declare const process: { env: Record<string, string | undefined>; exitCode?: number };

type Schemas = components["schemas"];
type Body<P> = P extends { requestBody: { content: { "application/json": infer B } } } ? B : never;
type Answer<O, S extends number> = O extends { responses: Record<S, { content: { "application/json": infer B } }> } ? B : never;

const base = process.env.POSTINO_URL ?? "";

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(base + path, {
    method,
    headers: { Authorization: `Bearer ${process.env.POSTINO_KEY}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) {
    const problem = (await answer.json()) as Schemas["Problem"];
    throw new Error(`${problem.status} ${problem.code}: ${problem.detail} ${problem.hint ?? ""}`);
  }
  return (await answer.json()) as T;
}

// Every kind of event has its own data: the type of the payload follows the name.
type Payload<K extends keyof webhooks> = Body<webhooks[K]["post"]>;
function failed(event: Payload<"delivery.failed">): string {
  const first: Schemas["EventRecipient"] | undefined = event.data.recipients[0];
  return `${event.data.message_id} ${first?.address ?? ""} ${event.data.error?.message.en ?? ""} ${event.data.metadata?.["order"] ?? ""}`;
}

async function main(): Promise<void> {
  const message: Body<paths["/v1/messages"]["post"]> = {
    from: "ERP <erp@contoso.it>",
    to: ["anna@example.com"],
    subject: "Fattura 42",
    text: "In allegato.",
    tag: "invoices",
    metadata: { order: "2026/42" },
  };
  const accepted = await call<Answer<operations["send-message"], 202>>("POST", "/v1/messages", message);
  const shown = await call<Answer<operations["get-message"], 200>>("GET", `/v1/messages/${accepted.id}`);
  if (shown.metadata?.["order"] !== "2026/42" || shown.tag !== "invoices" || shown.deliveries.length !== 1) {
    throw new Error(`another message came back: ${JSON.stringify(shown)}`);
  }
  const list = await call<Answer<operations["list-messages"], 200>>("GET", "/v1/messages?tag=invoices");
  if (list.items.map((item) => item.message.id).join() !== accepted.id) {
    throw new Error(`the list has others: ${JSON.stringify(list)}`);
  }
  const refused = await call("POST", "/v1/messages", { ...message, subjekt: "x" }).then(() => "", (err: Error) => err.message);
  if (!refused.startsWith("422 ")) {
    throw new Error(`an unknown field was not refused: ${refused}`);
  }
}

export { failed };
main().catch((err: unknown) => {
  console.error(err);
  process.exitCode = 1;
});
