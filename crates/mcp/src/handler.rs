//! The protocol: what an MCP client asks for, in both eras of it.

use glassbox_api::Problem;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestMethod,
    CompleteRequestParams, CompleteResult, DiscoverResult, GetSkillRequestParams, GetSkillResult,
    Implementation, JsonObject, ListPromptsRequestMethod, ListPromptsResult,
    ListResourceTemplatesRequestMethod, ListResourceTemplatesResult, ListResourcesRequestMethod,
    ListResourcesResult, ListSkillsResult, ListToolsResult, MetaObject, PaginatedRequestParams,
    ReadResourceRequestMethod, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value, json};

use crate::provider::Payment;
use crate::question::{self, Question, Word};
use crate::server::{PAYMENT_RESPONSE, RECEIPT, Server};
use crate::tools::{INSTRUCTIONS, INSTRUCTIONS_WALLET, tools};
use crate::{skill, steps};

/// Where a payment of x402 comes.
const PAYMENT: &str = "x402/payment";

/// How long lists may be kept. They change when the program does.
const TTL_MS: u64 = 3_600_000;

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::default();
        let capabilities = ServerCapabilities::builder().enable_tools();
        info.capabilities = match self.release {
            None => capabilities.enable_resources().enable_skills().build(),
            Some(_) => capabilities.build(),
        };
        info.server_info = Implementation::new("glassbox", env!("CARGO_PKG_VERSION"));
        let words = if self.provider.has_wallet() { INSTRUCTIONS_WALLET } else { INSTRUCTIONS };
        info.instructions = Some(words.into());
        info
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let discovered = DiscoverResult::from_server_info(versions, self.get_info());
        Ok(discovered.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = ListToolsResult::with_all_items(self.tools().await);
        list.ttl_ms = Some(TTL_MS);
        list.cache_scope = Some(CacheScope::Public);
        Ok(list)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools = if self.release.is_none() { tools(self.provider.has_wallet()) } else { &[] };
        tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let args: JsonObject = request.arguments.clone().unwrap_or_default();
        let mut answer = self.answer(&request.name, args.clone(), payment(&context), None).await;
        if let Some(question) = answer.as_mut().err().and_then(Question::take) {
            match question.ask(&request, &context).await {
                Word::Yes => {
                    let allowed = Some(question.amount);
                    answer = self.answer(&request.name, args.clone(), payment(&context), allowed).await;
                    // Dearer than what was allowed: that is for another question.
                    answer.as_mut().err().and_then(Question::take);
                }
                Word::No => answer = answer.map_err(question::declined),
                Word::Nobody => {}
                Word::Later(question) => return Ok((*question).into()),
            }
        }
        let result = match answer {
            Ok(answer) => {
                let mut result = CallToolResult::structured(answer.content);
                result.meta = (!answer.meta.is_empty()).then_some(MetaObject(answer.meta));
                result
            }
            Err(problem) => {
                // The tools that would help are not those of a release.
                let helps = if self.release.is_none() { steps::steps(&problem, &args) } else { Vec::new() };
                refuse(problem, &request.name, helps)
            }
        };
        Ok(result.into())
    }

    // The skill, and the resource that it is. A release has neither.

    async fn list_skills(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListSkillsResult, ErrorData> {
        let mut list = ListSkillsResult::with_all_items(vec![skill::listed()]);
        (list.ttl_ms, list.cache_scope) = (Some(TTL_MS), Some(CacheScope::Public));
        Ok(list)
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetSkillResult, ErrorData> {
        if request.uri != skill::URI {
            return Err(no_resource(&request.uri));
        }
        let mut found = GetSkillResult::new(skill::listed());
        (found.ttl_ms, found.cache_scope) = (Some(TTL_MS), Some(CacheScope::Public));
        Ok(found)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        if self.release.is_some() {
            return Err(ErrorData::method_not_found::<ListResourcesRequestMethod>());
        }
        let mut list = ListResourcesResult::with_all_items(vec![skill::resource()]);
        (list.ttl_ms, list.cache_scope) = (Some(TTL_MS), Some(CacheScope::Public));
        Ok(list)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        if self.release.is_some() {
            return Err(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>());
        }
        Ok(ListResourceTemplatesResult::with_all_items(Vec::new()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if self.release.is_some() {
            return Err(ErrorData::method_not_found::<ReadResourceRequestMethod>());
        }
        if request.uri != skill::URI {
            return Err(no_resource(&request.uri));
        }
        let read = ReadResourceResult::new(vec![skill::contents()]);
        Ok(read.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public).into())
    }

    // Not declared, and therefore answered as such: the defaults are empty lists.

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    async fn on_initialized(&self, _: NotificationContext<RoleServer>) {}
}

/// Returns what came to pay with: a payment beside the arguments, or the token of the HTTP request.
fn payment(context: &RequestContext<RoleServer>) -> Option<Payment> {
    if let Some(payment) = context.meta.get(PAYMENT) {
        return Some(Payment::X402(payment.clone()));
    }
    let parts = context.extensions.get::<http::request::Parts>()?;
    let shown = parts.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    Some(Payment::Bearer(shown.strip_prefix("Bearer ")?.trim().to_owned()))
}

fn no_resource(uri: &str) -> ErrorData {
    let shown: String = uri.chars().take(120).collect();
    ErrorData::invalid_params(format!("there is no `{shown}`"), Some(json!({ "uri": uri })))
}

/// Writes a refusal: the problem, and where something is to be paid also what x402 asks for, as its clients look for it.
fn refuse(mut problem: Problem, tool: &str, helps: Vec<Value>) -> CallToolResult {
    // Of the first version of x402, which has no MCP.
    problem.extra.remove("accepts");
    problem.extra.remove("x402Version");
    let mut meta = Map::new();
    for (name, key) in [("receipt", RECEIPT), ("settlement", PAYMENT_RESPONSE)] {
        meta.extend(problem.extra.remove(name).map(|value| (key.to_owned(), value)));
    }
    let required = problem.extra.remove("required");
    let mut said = json!(problem);
    if let (Some(said), Some(Value::Object(required))) = (said.as_object_mut(), required) {
        said.extend(required);
        said.entry("error").or_insert_with(|| "payment required".into());
        said.insert("next".into(), pay_words(tool).into());
    }
    if !helps.is_empty() {
        said["steps"] = json!(helps);
    }
    let mut result = CallToolResult::structured_error(said);
    result.meta = (!meta.is_empty()).then_some(MetaObject(meta));
    result
}

fn pay_words(tool: &str) -> String {
    format!("sign one of `accepts` and call `{tool}` again, the same way, with it as `_meta[\"{PAYMENT}\"]`")
}
