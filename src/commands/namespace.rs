//! `glassbox namespace`.

use glassbox_api::NamespaceResponse;
use glassbox_client::{ActPath, Client, ClientError};
use glassbox_core::Namespace;
use glassbox_core::acts::{
    Act as _, Authority, Delay, KeyRevocation, NamespacePolicy, PolicyCancellation, Threshold,
};
use glassbox_core::key::{PublicKey, SecretKey};

use super::Context;
use super::sign::{key, submit};
use crate::cli::{NamespaceCommand, PolicyArgs, Right, Signing};
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, HEAD, NAME, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &NamespaceCommand) -> Result<(), Failure> {
    match command {
        NamespaceCommand::Show { namespace } => {
            let shown = during("reading", context.client()?.namespace(namespace)).await?;
            context.output.answer(&shown, || describe(&shown));
            Ok(())
        }
        NamespaceCommand::Prove { namespace } => {
            let shown = during("asking the domain", context.client()?.prove_domain(namespace)).await?;
            context.output.answer(&shown, || describe(&shown));
            Ok(())
        }
        NamespaceCommand::Policy(args) => policy(context, args).await,
        NamespaceCommand::Rotate { namespace, from, to, signing } => {
            let (client, secret) = (context.client()?, key(context, signing.key.as_deref())?);
            let shown = during("reading", client.namespace(namespace)).await?;
            let old = from.unwrap_or(secret.public());
            let mut policy = next(&shown);
            let place = policy.controllers.iter_mut().find(|key| **key == old);
            *place.ok_or_else(|| no_controller(&old, namespace))? = *to;
            set(context, policy, &secret, signing).await
        }
        NamespaceCommand::Recover { namespace, to, signing } => {
            let (client, secret) = (context.client()?, key(context, signing.key.as_deref())?);
            let shown = during("reading", client.namespace(namespace)).await?;
            let mut policy = next(&shown);
            policy.controllers.clone_from(to);
            // What takes more keys than there are now takes all of them.
            let most = u32::try_from(to.len()).unwrap_or(u32::MAX);
            let Threshold { publish, price, yank, rotate, .. } = &mut policy.threshold;
            [publish, price, yank, rotate].into_iter().for_each(|count| *count = (*count).min(most));
            set(context, policy, &secret, signing).await
        }
        NamespaceCommand::Cancel { namespace, reason, signing } => {
            let (client, secret) = (context.client()?, key(context, signing.key.as_deref())?);
            let shown = during("reading", client.namespace(namespace)).await?;
            let Some(pending) = shown.pending else {
                let message = format!("no change of the policy of `{namespace}` waits");
                return Err(Failure::no("policy-not-pending", message, ""));
            };
            let act = PolicyCancellation {
                namespace: namespace.clone(),
                change: pending.change.change,
                reason: reason.clone(),
            };
            submit(context, ActPath::Cancel(namespace.clone()), act.sign(&secret), signing).await
        }
        NamespaceCommand::RevokeKey { namespace, revoked, reason, signing } => {
            let secret = key(context, signing.key.as_deref())?;
            let act = KeyRevocation { namespace: namespace.clone(), key: *revoked, reason: reason.clone() };
            submit(context, ActPath::Revocation(namespace.clone()), act.sign(&secret), signing).await
        }
    }
}

async fn policy(context: &Context, args: &PolicyArgs) -> Result<(), Failure> {
    let (client, secret) = (context.client()?, key(context, args.signing.key.as_deref())?);
    let mut policy = match during("reading", known(&client, &args.namespace)).await? {
        Some(shown) => next(&shown),
        None => NamespacePolicy::of_one_key(args.namespace.clone(), secret.public()),
    };
    for key in &args.remove {
        let before = policy.controllers.len();
        policy.controllers.retain(|known| known != key);
        if policy.controllers.len() == before {
            return Err(no_controller(key, &args.namespace));
        }
    }
    policy.controllers.extend(&args.add);
    if !args.recovery.is_empty() {
        policy.recovery.clone_from(&args.recovery);
    }
    let Delay { rotate_hours, recover_hours } = &mut policy.delay;
    *rotate_hours = args.rotate_hours.unwrap_or(*rotate_hours);
    *recover_hours = args.recover_hours.unwrap_or(*recover_hours);
    for (right, count) in &args.threshold {
        let threshold = &mut policy.threshold;
        *match right {
            Right::Publish => &mut threshold.publish,
            Right::Price => &mut threshold.price,
            Right::Yank => &mut threshold.yank,
            Right::Rotate => &mut threshold.rotate,
            Right::Recover => &mut threshold.recover,
        } = *count;
    }
    match args.domain.as_deref() {
        Some("") => policy.domain = None,
        Some(domain) => policy.domain = Some(domain.into()),
        None => {}
    }
    set(context, policy, &secret, &args.signing).await
}

/// Signs a policy and sends it, or writes it for others to sign.
async fn set(
    context: &Context,
    policy: NamespacePolicy,
    secret: &SecretKey,
    signing: &Signing,
) -> Result<(), Failure> {
    policy
        .check()
        .map_err(|refusal| Failure::no("policy-invalid", refusal.to_string(), "correct the policy"))?;
    let path = ActPath::Policy(policy.namespace.clone());
    submit(context, path, policy.sign(secret), signing).await
}

/// Returns the policy in force as the next one of its sequence.
fn next(shown: &NamespaceResponse) -> NamespacePolicy {
    NamespacePolicy { sequence: shown.next_sequence, ..shown.policy.clone() }
}

fn no_controller(key: &PublicKey, namespace: &Namespace) -> Failure {
    let message = format!("{key} is no controller of `{namespace}`");
    Failure::no("key-not-found", message, format!("see them: `glassbox namespace show {namespace}`"))
}

/// Returns what holds of a namespace, or `None` where nobody has it.
async fn known(client: &Client, namespace: &Namespace) -> Result<Option<NamespaceResponse>, ClientError> {
    match client.namespace(namespace).await {
        Ok(shown) => Ok(Some(shown)),
        Err(ClientError::Problem(problem)) if problem.code == "namespace-not-found" => Ok(None),
        Err(error) => Err(error),
    }
}

fn describe(shown: &NamespaceResponse) -> String {
    let NamespacePolicy { controllers, threshold, recovery, delay, domain, sequence, .. } = &shown.policy;
    let revoked = |key: &PublicKey| shown.revoked.iter().find(|revoked| revoked.key == *key);
    let show = |key: &PublicKey| match revoked(key) {
        Some(revoked) => {
            format!("  {key}  {} {}", paint(BAD, "revoked:"), revoked.reason)
        }
        None => format!("  {key}"),
    };
    let mut lines = vec![
        format!("{}  policy {sequence}", paint(NAME, &shown.namespace)),
        String::new(),
        paint(HEAD, "Controllers"),
    ];
    lines.extend(controllers.iter().map(show));
    if !recovery.is_empty() {
        lines.push(paint(HEAD, "Recovery"));
        lines.extend(recovery.iter().map(show));
    }
    let Threshold { publish, price, yank, rotate, recover } = threshold;
    let Delay { rotate_hours, recover_hours } = delay;
    lines.extend([
        paint(HEAD, "It takes"),
        format!("  publish {publish}, price {price}, yank {yank}"),
        format!("  rotate  {rotate}, and {rotate_hours} h to wait"),
    ]);
    if !recovery.is_empty() {
        lines.push(format!("  recover {recover}, and {recover_hours} h to wait"));
    }
    if let Some(domain) = domain {
        let said = match &shown.proof {
            Some(proof) if proof.holds => format!("{} since {}", paint(GOOD, "proved"), proof.asked_at),
            Some(proof) => format!("{} since {}: keys are frozen", paint(BAD, "lapsed"), proof.asked_at),
            None => paint(DIM, "not proved"),
        };
        lines.push(format!("{}  {domain}, {said}", paint(HEAD, "Domain")));
    }
    if let Some(pending) = &shown.pending {
        let by = match pending.change.by {
            Authority::Controllers => "the controllers",
            Authority::Recovery => "the recovery keys",
        };
        lines.push(format!(
            "{} by {by}, in force from {}",
            paint(BAD, format!("Policy {} waits", pending.change.policy.sequence)),
            pending.effective_at
        ));
        lines.extend(pending.change.policy.controllers.iter().map(|key| format!("  {key}")));
    }
    lines.join("\n")
}
