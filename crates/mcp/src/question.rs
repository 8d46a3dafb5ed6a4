//! Asking the person in front of a host, for what their own policy does not pay by itself (elicitation).
//!
//! The host asks, and not the model: what it answers stands beside a tool's arguments, where a model does not write. A
//! host of the newer era is answered with the question and calls again with the answer; one of the older era is asked
//! while its call waits.

use std::collections::BTreeMap;
use std::time::Duration;

use glassbox_api::Problem;
use glassbox_core::Atomic;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, InputRequest, InputRequiredResult, ProtocolVersion, ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext};
use serde_json::{Value, json};

/// The member of a problem that has the question. Never shown.
const MEMBER: &str = "question";

/// The name of the question among those of an answer.
const PRICE: &str = "price";

/// How long a person may think.
const ANSWER_SECONDS_MAX: u64 = 600;

/// May a call cost this much?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// In words.
    pub message: String,
    /// What it costs at most.
    pub amount: Atomic,
}

/// What a person says to a question.
pub(crate) enum Word {
    /// The call may cost what was asked.
    Yes,
    /// It may not.
    No,
    /// Nobody can be asked here.
    Nobody,
    /// Ask with this, and call again.
    Later(Box<InputRequiredResult>),
}

impl Question {
    /// Puts the question into a refusal.
    #[must_use]
    pub fn within(self, mut problem: Problem) -> Problem {
        problem.extra.insert(MEMBER.into(), json!([self.message, self.amount.0.to_string()]));
        problem
    }

    /// Takes the question out of a refusal, where it has one.
    pub(crate) fn take(problem: &mut Problem) -> Option<Self> {
        let (message, amount) =
            serde_json::from_value::<(String, String)>(problem.extra.remove(MEMBER)?).ok()?;
        Some(Self { message, amount: Atomic(amount.parse().ok()?) })
    }

    /// Asks whoever is in front of the host that sent `request`.
    pub(crate) async fn ask(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Word {
        let asks = context.client_capabilities().is_some_and(|client| client.elicitation.is_some());
        if !asks {
            return Word::Nobody;
        }
        if context.protocol_version().is_none_or(|version| version < ProtocolVersion::NO_INITIALIZE) {
            return self.ask_now(context).await;
        }
        // The amount travels with the question: what was said to one price says nothing of another.
        let state = self.amount.0.to_string();
        let answer = request.input_responses.as_ref().and_then(|answers| answers.get(PRICE));
        match answer.filter(|_| request.request_state.as_ref() == Some(&state)) {
            Some(answer) => serde_json::from_value(answer.clone()).map_or(Word::No, |answer| word(&answer)),
            None => {
                let asked = BTreeMap::from([(PRICE.to_owned(), InputRequest::Elicitation(self.request()))]);
                Word::Later(Box::new(InputRequiredResult::new(Some(asked), Some(state))))
            }
        }
    }

    async fn ask_now(&self, context: &RequestContext<RoleServer>) -> Word {
        let asked = ServerRequest::ElicitRequest(self.request());
        let patience = PeerRequestOptions::with_timeout(Duration::from_secs(ANSWER_SECONDS_MAX));
        let Ok(sent) = context.peer.send_request_with_option(asked, patience).await else { return Word::No };
        match sent.await_response().await {
            Ok(ClientResult::ElicitResult(answer)) => word(&answer),
            _ => Word::No,
        }
    }

    fn request(&self) -> ElicitRequest {
        ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: self.message.clone(),
            // Accepting is the answer; there is nothing to fill in.
            requested_schema: ElicitationSchema::new(BTreeMap::new()),
        })
    }
}

fn word(answer: &ElicitResult) -> Word {
    match answer.action {
        ElicitationAction::Accept => Word::Yes,
        _ => Word::No,
    }
}

/// Says in a refusal that a person was asked.
pub(crate) fn declined(problem: Problem) -> Problem {
    let mut problem = Problem { next: "do without, or ask for something cheaper".into(), ..problem };
    problem.extra.insert("declined".into(), Value::Bool(true));
    problem
}
