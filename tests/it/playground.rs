//! Trying a release by hand: a page with a form, free as long as its publisher gives something away.

use std::time::Duration;

use crate::buyer::Reply;
use crate::packages;
use crate::stage::Stage;

const PAGE: &str = "/playground/docs/markdown/1.0.0";

async fn send(stage: &Stage, path: &str, call: &str, headers: &[(&str, &str)]) -> Reply {
    let request = stage.http.post(format!("{}{path}", stage.url)).form(&[("call", call)]);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Reply::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_try_what_is_given_away() {
    let stage = Stage::empty().await;
    let mut files = packages::example("markdown");
    files.manifest = files
        .manifest
        .replace("import = true", "import = true\nplayground = true")
        .replace("\"0.002\"", "\"0.002\"\nfree = { quantity = 2, period = \"day\", scope = \"anonymous\" }");
    stage.publish(&files).await;

    // The page shows what there is, with calls of its tests to begin with.
    let page = stage.get(PAGE).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self'") && policy.contains("default-src 'none'"), "{policy}");
    for shown in [
        "Try <code>docs:markdown@1.0.0</code>",
        "to-html: func(text: string",
        "a heading",
        "$0.0005 per call",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(page.text.contains("convert.to-html(&quot;# Hi&quot;, commonmark)</textarea>"), "{}", page.text);
    let release = stage.get("/v1/packages/docs/markdown/1.0.0").await.json();
    assert_eq!(release["about"]["playground"], PAGE);
    let chosen = stage.get(&format!("{PAGE}?call=convert.outline(%22%23+Hi%22)")).await;
    assert!(chosen.text.contains("convert.outline(&quot;# Hi&quot;)</textarea>"), "{}", chosen.text);

    // A mistake costs none of the units, and neither does a page of somebody else.
    let wrong = send(&stage, PAGE, "to-html(1)", &[]).await;
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.text.contains("the signature is") && wrong.text.contains("to-html(1)</textarea>"),
        "{}",
        wrong.text
    );
    let foreign = send(&stage, PAGE, "to-html(\"\", commonmark)", &[("sec-fetch-site", "cross-site")]).await;
    foreign.assert_problem(403, "form-foreign");

    // It runs, and what came of it is text, whatever it looks like.
    let hostile = "to-html(\"<script>alert(1)</script>\", commonmark)";
    let reply = send(&stage, PAGE, hostile, &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(
        !reply.text.contains("<script") && reply.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{}",
        reply.text
    );
    assert!(reply.text.contains("glassbox-bundle/2"), "its receipt");
    let reply = send(&stage, PAGE, "to-html(\"# Hi\", commonmark)", &[]).await;
    assert!(reply.text.contains("<pre>&lt;h1&gt;Hi&lt;/h1&gt;\n</pre>"), "{}", reply.text);

    // Then the day's units are used up: for everybody, and nothing is owed.
    let reply = send(&stage, PAGE, "to-html(\"# Hi\", commonmark)", &[]).await;
    assert_eq!(reply.status, 402);
    assert!(reply.text.contains("free units are used up"), "{}", reply.text);
    let reply = send(&stage, PAGE, "outline(\"# Hi\")", &[]).await;
    assert_eq!(reply.status, 402, "of this nothing is given away");
    stage.world.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(send(&stage, PAGE, "to-html(\"# Hi\", commonmark)", &[]).await.status, 200);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_where_the_publisher_offers_it() {
    let stage = Stage::empty().await;
    stage.publish(&packages::example("markdown")).await;
    stage.get(PAGE).await.assert_problem(404, "playground-none");
    send(&stage, PAGE, "outline(\"\")", &[]).await.assert_problem(404, "playground-none");
    stage.get("/playground/docs/nothing/1.0.0").await.assert_problem(404, "package-not-found");
    let release = stage.get("/v1/packages/docs/markdown/1.0.0").await.json();
    assert!(release["about"].get("playground").is_none(), "{release}");
}
