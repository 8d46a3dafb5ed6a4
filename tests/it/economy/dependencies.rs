//! Sales pay those whose code they rest on.

use glassbox_core::ledger::Account;
use glassbox_registry::PackageFiles;
use serde_json::json;

use super::{Customer, net};
use crate::composition::{leaf, often, on, payee, publish};
use crate::stage::Stage;

const SOLD: &str = "[splits]\ndependencies = 2000\n\
    [[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
    [[price]]\nid = \"copy\"\non = \"download\"\nunit = \"download\"\namount = \"1\"\n\
    [[plan]]\nid = \"team\"\namount = \"2\"\nunit = \"seat\"\nincludes = [\"execute:*\"]\n\
    [security]\ncontact = \"a@lab.example\"\nsupport-until = 2029-12-31\n";

/// Returns what payees have earned so far, in pico.
async fn earned<const N: usize>(stage: &Stage, names: [&str; N]) -> [u128; N] {
    let mut earned = [0; N];
    for (name, earned) in names.iter().zip(&mut earned) {
        let account = Account::Payee(format!("acct:{name}"));
        *earned = stage.store().balance(&account).await.unwrap().credits.0;
    }
    earned
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_downloads_pay_those_who_worked_in_the_tests_and_those_with_a_fixed_share() {
    let stage = Stage::without_sweep().await;
    let (low, fixed) = (leaf("low", &payee("lou")), leaf("fixed", &payee("fay")));
    let named = "[dependencies]\n\"lab:low\" = { version = \"1\" }\n\"lab:fixed\" = { version = \"1\", share = 300 }\n";
    let top = on("top", &[&low, &fixed], &format!("{named}{SOLD}{}", payee("ana")));
    let idle = often("idle", &[&low, &fixed], &format!("{named}{SOLD}{}", payee("ida")));
    let [top, idle] = [top, idle].map(|package| PackageFiles {
        manifest: package
            .manifest
            .replace("import = true", "import = true\nexecute = [\"remote\", \"local\"]"),
        ..package
    });
    for part in [&low, &fixed] {
        publish(&stage, part, &[]).await;
    }
    for package in [&top, &idle] {
        publish(&stage, package, &[&low, &fixed]).await;
    }
    let names = ["ana", "ida", "lou", "fay"];
    let page = stage.get("/v1/packages/lab/top/1.0.0").await.json();
    let efforts = page["tests"]["efforts"].as_array().unwrap();
    let mut worked: Vec<&str> = efforts.iter().map(|effort| effort["release"].as_str().unwrap()).collect();
    worked.sort_unstable();
    assert_eq!(worked, ["lab:fixed@1.0.0", "lab:low@1.0.0"]);
    for effort in efforts {
        let most = effort["fuel_counted_max"].as_u64().unwrap();
        assert!((1..most).contains(&effort["fuel"].as_u64().unwrap()), "about as much as in their own tests");
    }

    let eve = Customer::with(&stage, "eve", "9").await;
    let team = json!({ "item": "plan:team" });
    let bought = eve.post("/v1/packages/lab/top/1.0.0/licenses", &team).await;
    assert_eq!(bought.status, 200, "{}", bought.text);
    let plan = net(2_000_000);
    // Of the pool, a fifth, one dependency has a half.
    let (low, fixed) = (plan / 10, plan * 3 / 100);
    assert_eq!(earned(&stage, names).await, [plan - low - fixed, 0, low, fixed]);
    // What the plan includes costs nothing, and nobody earns by it.
    assert_eq!(eve.post("/v1/call/lab/top/1.0.0/run", &json!({ "args": [0] })).await.output(), 21);
    assert_eq!(earned(&stage, names).await, [plan - low - fixed, 0, low, fixed]);

    let url = format!("{}/v1/packages/lab/top/1.0.0/component", stage.url);
    let copied = stage.http.get(url).bearer_auth(&eve.token).send().await.unwrap();
    assert_eq!(copied.status(), 200);
    let both = plan + net(1_000_000);
    let (low, fixed) = (both / 10, both * 3 / 100);
    assert_eq!(earned(&stage, names).await, [both - low - fixed, 0, low, fixed]);

    // Its tests call nobody.
    let bought = eve.post("/v1/packages/lab/idle/1.0.0/licenses", &team).await;
    assert_eq!(bought.status, 200, "{}", bought.text);
    let promised = plan * 3 / 100;
    assert_eq!(earned(&stage, names).await, [both - low - fixed, plan - promised, low, fixed + promised]);
    stage.assert_sound().await;
}
