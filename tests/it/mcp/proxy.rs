//! `glassbox mcp`: the built command between a stock client and a registry, with a wallet and a policy.

use std::fs;

use serde_json::{Value, json};

use super::clients::{Steps, python, run, typescript};
use crate::command::Shell;
use crate::packages;
use crate::stage::Stage;

/// A registry on the real clock, and a home folder with a wallet that has ten dollars.
async fn home() -> (Stage, Shell) {
    let stage = crate::clients::stage().await;
    let shell = Shell::new(&stage.url);
    for args in [["wallet", "new", "--plain"].as_slice(), &["wallet", "fund", "10"]] {
        let output = shell.run(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    (stage, shell)
}

/// Lets a stock agent call `double(21)` through `glassbox mcp`.
async fn call(shell: &Shell, args: &[&str], agent: tokio::process::Command) -> Steps {
    let mut command = vec![env!("CARGO_BIN_EXE_glassbox")];
    command.push("mcp");
    command.extend(args);
    let command = serde_json::to_string(&command).unwrap();
    let home = shell.folder.path().join("home");
    let home = home.to_str().unwrap();
    let environment =
        [("COMMAND", command.as_str()), ("GLASSBOX_HOME", home), ("GLASSBOX_REGISTRY", &shell.registry)];
    run(agent, "-", &environment).await
}

fn policy(shell: &Shell, text: &str) {
    fs::write(shell.folder.path().join("home").join("policy.toml"), text).unwrap();
}

fn spent(shell: &Shell) -> Value {
    let output = shell.run(&["spend", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_a_wallet_of_its_own_is_paid_for_and_its_receipt_is_kept() {
    let (stage, shell) = home().await;
    for agent in [typescript(), python()] {
        let steps = call(&shell, &["--max-price", "0.01"], agent).await;
        assert!(steps.of("tools")["names"].as_array().unwrap().contains(&json!("spending")));
        let result = steps.of("result");
        assert_eq!(
            (&result["isError"], &result["result"]["output"]),
            (&json!(false), &json!(42)),
            "{result}"
        );
        assert_eq!(result["result"]["verified"], "receipt");
        super::clients::assert_verified(result);
        let kept = result["result"]["receipt_file"].as_str().unwrap();
        let verified = shell.run(&["verify", kept]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
    assert_eq!(stage.payments().await, 2);
    assert_eq!(spent(&shell)["charged"]["amount"], "4000");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_does_not_allow_is_refused_with_its_setting() {
    let (stage, shell) = home().await;
    let publisher = packages::publisher().public().to_string();
    for (args, text, code, setting) in [
        (&[][..], "", "payment-required", "call = \"0.002\""),
        (&["--max-price", "0.001"], "", "price-above-max", "call = \"0.002\""),
        (&[], "max.call = '0.001'", "price-above-max", "call = \"0.002\""),
        (&["--max-price", "1"], "max.day = '0.001'", "policy-refused", "day = \"0.002\""),
        (
            &["--max-price", "1"],
            "agent.publishers = ['acme']",
            "policy-refused",
            "`publishers` under [agent]",
        ),
        (
            &["--max-price", "1"],
            "agent.licenses = ['MIT']",
            "policy-refused",
            "add \"Apache-2.0\" to `licenses`",
        ),
        (&["--max-price", "1"], "agent.proof = 'replay'", "policy-refused", "proof = \"receipt\""),
    ] {
        policy(&shell, text);
        let steps = call(&shell, args, typescript()).await;
        let result = &steps.of("result")["result"];
        assert_eq!((&result["code"], &result["charged"]), (&json!(code), &json!("0")), "{text}: {result}");
        assert!(result["next"].as_str().unwrap().contains(setting), "{text}: {result}");
    }
    assert_eq!(stage.payments().await, 0);
    assert_eq!(spent(&shell)["payments"], json!([]));

    policy(&shell, &format!("max.call = '0.002'\nmax.day = '0.002'\nagent.publishers = ['{publisher}']"));
    let steps = call(&shell, &[], typescript()).await;
    assert_eq!(steps.of("result")["result"]["output"], 42);
    let steps = call(&shell, &[], typescript()).await;
    assert_eq!(steps.of("result")["result"]["rule"], "max.day");
    assert_eq!(stage.payments().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_about_what_the_policy_does_not_pay_by_itself() {
    let (stage, shell) = home().await;
    policy(&shell, "max.call = '0.001'\nmax.day = '0.005'\nagent.ask = true");
    let asked = async |agent: fn() -> tokio::process::Command, answer: &str, mode: &str| {
        let mut agent = agent();
        agent.env("ANSWER", answer).env("MODE", mode);
        call(&shell, &[], agent).await
    };
    // One era is asked while its call waits, the other calls again with the answer.
    let mut paid = 0;
    for (agent, mode) in [(typescript as fn() -> _, "auto"), (python, "auto"), (python, "legacy")] {
        let steps = asked(agent, "decline", mode).await;
        let result = &steps.of("result")["result"];
        assert_eq!(
            (&result["code"], &result["declined"]),
            (&json!("price-above-max"), &json!(true)),
            "{result}"
        );
        assert_eq!(stage.payments().await, paid, "{mode}");

        let steps = asked(agent, "accept", mode).await;
        let question = steps.of("asked")["message"].as_str().unwrap();
        assert!(
            question.contains("`double` of lab:bench@1.0.0") && question.contains("$0.002"),
            "{question}"
        );
        let result = &steps.of("result")["result"];
        if paid < 2 {
            assert_eq!(result["output"], 42, "{result}");
            paid += 1;
        } else {
            // What a day may cost is not for a moment's yes.
            assert_eq!(result["rule"], "max.day", "{result}");
        }
        assert_eq!(stage.payments().await, paid, "{mode}");
    }
    // Who does not let anybody be asked is not, and neither is a host that cannot ask.
    let steps = call(&shell, &[], typescript()).await;
    assert_eq!(steps.of("result")["result"]["code"], "price-above-max");
    policy(&shell, "max.call = '0.001'");
    let steps = asked(python, "accept", "auto").await;
    assert_eq!(steps.of("result")["result"]["code"], "price-above-max");
    assert_eq!(stage.payments().await, paid);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_downloaded_for_nothing_runs_here_where_a_call_has_a_price() {
    let stage = crate::clients::stage().await;
    let mut free = packages::bench("2.0.0");
    free.manifest = free.manifest.replace("execute = [\"remote\"]", "execute = [\"remote\", \"local\"]");
    stage.publish(&free).await;
    let shell = Shell::new(&stage.url);
    let steps = call(&shell, &[], typescript()).await;
    let result = &steps.of("result")["result"];
    assert_eq!((&result["output"], &result["charged"]["amount"]), (&json!(42), &json!("0")), "{result}");
    assert!(result["ran"].as_str().unwrap().contains("on this machine"), "{result}");
    assert_eq!(stage.payments().await, 0);

    // Where that is not wished, it is paid for, and proved by running it again.
    for args in [["wallet", "new", "--plain"].as_slice(), &["wallet", "fund", "10"]] {
        assert!(shell.run(args).status.success());
    }
    policy(&shell, "agent.local = false\nagent.proof = 'replay'\nmax.call = '0.01'");
    let steps = call(&shell, &[], typescript()).await;
    let result = &steps.of("result")["result"];
    assert_eq!((&result["output"], &result["verified"]), (&json!(42), &json!("replay")), "{result}");
    assert_eq!(stage.payments().await, 1);
}
