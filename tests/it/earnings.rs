//! Who earned what: told apart in every way, it is to the last unit what the ledger says.

use std::collections::BTreeMap;
use std::time::Duration;

use glassbox_pay::x402;
use serde_json::{Value, json};

use crate::buyer::{Reply, bench};
use crate::command::Shell;
use crate::packages;
use crate::stage::Stage;

async fn earnings(stage: &Stage, query: &str) -> Vec<Value> {
    stage.get(&format!("/v1/earnings?{query}")).await.json()["earnings"].as_array().unwrap().clone()
}

/// Adds up what each receiver earned, in pico.
fn sums(rows: &[Value]) -> BTreeMap<String, u128> {
    let mut sums = BTreeMap::new();
    for row in rows {
        let pico: u128 = row["pico"].as_str().unwrap().parse().unwrap();
        *sums.entry(row["receiver"].as_str().unwrap().to_owned()).or_default() += pico;
    }
    sums
}

/// Returns what the ledger says that each receiver got.
async fn booked(stage: &Stage) -> BTreeMap<String, u128> {
    let balances = stage.store().balances().await.unwrap();
    let receiver = |account: String| match account.strip_prefix("payee:") {
        Some(payee) => Some(payee.to_owned()),
        None => (account == "operator").then_some(account),
    };
    let booked = balances.into_iter();
    booked.filter_map(|balance| Some((receiver(balance.account.to_string())?, balance.credits.0))).collect()
}

/// A registry on which a wallet and credit paid for two releases, and two functions, on two days.
async fn busy() -> Stage {
    let stage = Stage::new().await;
    let ana = stage.buyer("ana", 50).await;
    ana.pay(&bench("double"), json!([1]), "1").await.output();
    ana.pay(&bench("burn"), json!([10_000]), "2").await.output();
    stage.world.advance(Duration::from_secs(24 * 3_600));
    stage.publish(&packages::bench("1.1.0")).await;
    let newer = bench("double").replace("1.0.0", "1.1.0");
    ana.pay(&newer, json!([3]), "3").await.output();
    let body = json!({ "usd": "1" });
    let asked = stage.post("/v1/credit", &body).await;
    let ben = stage.buyer("ben", 5).await;
    let payment = x402::encode(&ben.answer(&asked.required(), "credit"));
    let bought = ben.send("/v1/credit", &body, Some(&payment)).await.json();
    let call = stage.http.post(format!("{}{newer}", stage.url)).json(&json!({ "args": [4] }));
    let called = call.bearer_auth(bought["token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(Reply::of(called).await.output(), 8);
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn earnings_add_up_to_the_ledger_however_they_are_told_apart() {
    let stage = busy().await;
    let booked = booked(&stage).await;
    assert_eq!(booked.len(), 3, "{booked:?}");
    for query in [
        "by=release",
        "by=package",
        "by=export",
        "by=day",
        "by=payer",
        "by=day,release,export,payer,package",
        "package=lab:bench",
        "package=lab:bench&by=day,export",
        "from=2000-01-01&until=2100-01-01&by=payer",
    ] {
        assert_eq!(sums(&earnings(&stage, query).await), booked, "{query}");
    }
    // In parts, by time and by receiver, they are the whole.
    let day = earnings(&stage, "by=day").await.last().unwrap()["day"].as_str().unwrap().to_owned();
    let parts = [format!("until={day}"), format!("from={day}")];
    let mut whole = earnings(&stage, &parts[0]).await;
    assert!(sums(&whole) < booked);
    whole.extend(earnings(&stage, &parts[1]).await);
    assert_eq!(sums(&whole), booked);
    for receiver in booked.keys() {
        let own = sums(&earnings(&stage, &format!("receiver={receiver}")).await);
        assert_eq!(own, BTreeMap::from([(receiver.clone(), booked[receiver])]));
    }
    for query in ["package=no:such", "receiver=nobody", "from=2100-01-01", "from=2027-02-01&until=2027-01-01"]
    {
        assert_eq!(earnings(&stage, query).await, [] as [Value; 0], "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn earnings_say_with_what_when_and_by_what_kind_of_payer() {
    let stage = busy().await;
    let rows = earnings(&stage, "receiver=operator&by=day,export,payer").await;
    let shown: Vec<(&str, &str, u64)> = rows
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap();
            assert!(row.get("release").is_none() && row.get("package").is_none(), "{row}");
            (text("export"), text("payer"), row["calls"].as_u64().unwrap())
        })
        .collect();
    let expected =
        [("burn", "wallet", 1), ("double", "wallet", 1), ("double", "credit", 1), ("double", "wallet", 1)];
    let mut found = shown.clone();
    let mut wanted = expected.to_vec();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{rows:?}");
    let days: Vec<&str> = rows.iter().map(|row| row["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2027-01-15", "2027-01-15", "2027-01-16", "2027-01-16"]);
    for (query, code) in [
        ("by=hour", "earnings-query-invalid"),
        ("by=", "earnings-query-invalid"),
        ("from=yesterday", "earnings-query-invalid"),
        ("until=2027-13-01", "earnings-query-invalid"),
        ("package=x", "name-invalid"),
    ] {
        stage.get(&format!("/v1/earnings?{query}")).await.assert_problem(400, code);
    }
    // More charges than may be looked at are refused, and never a part of them summed up.
    let query = glassbox_registry::EarningsQuery::default();
    assert_eq!(stage.store().earnings(query.clone(), 3).await.unwrap(), None);
    assert!(stage.store().earnings(query, 100).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_writes_what_a_spreadsheet_reads() {
    let stage = busy().await;
    let shell = Shell::new(&stage.url);
    let output = shell.run(&["earnings", "--by", "package,export,payer", "--csv"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("day,package,release,export,payer,receiver,calls,usd,pico,reversed_usd,reversed_pico")
    );
    let rows = earnings(&stage, "by=package,export,payer").await;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |row: &Value| {
        let told = ["day", "package", "release", "export", "payer"].map(|name| match row.get(name) {
            Some(value) => text(value),
            None => String::new(),
        });
        let sums = ["receiver", "calls", "usd", "pico"].map(|name| text(&row[name]));
        // Nothing went back.
        format!("{},{},0,0", told.join(","), sums.join(","))
    };
    let wanted: Vec<String> = rows.iter().map(line).collect();
    assert!(wanted.len() > 6, "{wanted:?}");
    assert_eq!(lines.collect::<Vec<_>>(), wanted);
}
