//! What is not taken back.

use liftrelay::store::memory::Fault;
use serde_json::{Value, json};

use super::{Disk, kept, restore, update};
use crate::support::client::Reply;
use crate::support::{Client, TestServer};

/// A server that has lost numbers 2 to 5, the desk, the director, and the desk's whole log in one page.
async fn behind() -> (Disk, TestServer, Client, Client, Value) {
    let (disk, server) = Disk::start().await;
    let desk = server.meet().await;
    let director = desk.join("director").await;
    desk.set("lot", json!(1)).await;
    let log = disk.log(&desk.meet);
    for n in 2..=5 {
        desk.push(json!([update("registration.entries[1]", json!({"name": "x", "notes": "private", "n": n}), n, n - 1)])).await.expect(200);
    }
    let page = kept(&desk, 0, 1000).await.remove(0);
    let server = disk.set_back(&desk.meet, &log).await;
    let (desk, director) = (desk.at(&server.url), director.at(&server.url));
    (disk, server, desk, director, page)
}

fn changed(page: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut page = page.clone();
    change(&mut page);
    page
}

#[track_caller]
fn pointer(reply: Reply) -> String {
    let problem = reply.problem(422, "invalid-request");
    problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_changed_is_refused_and_counts_as_a_failed_attempt() {
    let (_disk, server, desk, director, page) = behind().await;
    let forgeries = [
        changed(&page, |page| page["updates"][3]["updateValue"]["n"] = json!(99)),
        changed(&page, |page| page["updates"][3]["at"] = json!("2026-05-01T09:30:00.120Z")),
        changed(&page, |page| page["updates"][2]["priority"] = json!(1000)),
        changed(&page, |page| page["updates"][2]["locationName"] = json!("director")),
        changed(&page, |page| {
            let chain = page["chain"].as_str().unwrap();
            let last = if chain.ends_with('0') { "1" } else { "0" };
            page["chain"] = json!(format!("{}{last}", &chain[..63]));
        }),
        changed(&page, |page| {
            let (two, three) = (page["updates"][2].clone(), page["updates"][3].clone());
            (page["updates"][2], page["updates"][3]) = (three, two);
            page["updates"][2]["serverSeqNum"] = json!(3);
            page["updates"][3]["serverSeqNum"] = json!(4);
        }),
    ];
    for forged in &forgeries {
        assert_eq!(pointer(restore(&desk, forged).await), "/chain");
    }
    assert_eq!(desk.state().await["serverSeqNum"], 1, "nothing of it was taken");
    // The tenth failure of an address is its last for a while, whoever sends the next page.
    for _ in forgeries.len()..10 {
        assert_eq!(pointer(restore(&desk, &forgeries[0]).await), "/chain");
    }
    let limited = restore(&director, &page).await;
    assert!(limited.header("retry-after").parse::<u32>().unwrap() > 0);
    limited.problem(429, "rate-limited");
    let elsewhere = desk.with_address("127.0.0.2".parse().unwrap());
    restore(&elsewhere, &page).await.expect(200);
    assert_eq!(desk.state().await["serverSeqNum"], 5);
    drop(server);
}

#[tokio::test]
async fn a_log_of_another_meet_or_server_is_refused() {
    let (_disk, server, desk, ..) = behind().await;
    let other = server.meet().await;
    other.set("lot", json!(1)).await;
    let page = kept(&other, 0, 10).await.remove(0);
    assert_eq!(pointer(restore(&desk, &page).await), "/chain");
    let empty = json!({"cursor": 1, "chain": page["chain"]});
    restore(&desk, &empty).await.problem(409, "history-changed");
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let (_disk, _server, desk, _, page) = behind().await;
    let many: Vec<Value> = (1..=10_001_u64)
        .map(|n| {
            let mut entry = page["updates"][0].clone();
            entry["serverSeqNum"] = json!(n);
            entry
        })
        .collect();
    let wrong = [
        (changed(&page, |page| drop(page["updates"].as_array_mut().unwrap().remove(2))), "/updates/2/serverSeqNum"),
        (changed(&page, |page| page["updates"][0]["serverSeqNum"] = json!(0)), "/updates/0/serverSeqNum"),
        (changed(&page, |page| page["cursor"] = json!(4)), "/cursor"),
        (changed(&page, |page| page["cursor"] = json!("5-00000000")), "/cursor"),
        (changed(&page, |page| page["chain"] = json!("abc")), "/chain"),
        (changed(&page, |page| drop(page.as_object_mut().unwrap().remove("chain"))), ""),
        (changed(&page, |page| page["more"] = json!("no")), "/more"),
        (changed(&page, |page| page["updates"][1] = json!({"serverSeqNum": 2, "commit": 2, "opaque": true})), "/updates/1"),
        (changed(&page, |page| page["updates"][1]["op"] = json!(5)), "/updates/1/op"),
        (changed(&page, |page| page["updates"] = json!(many)), "/updates"),
        (changed(&page, |page| drop(page["updates"][1]["updateValue"].as_object_mut().unwrap().remove("notes"))), "/chain"),
    ];
    for (body, place) in wrong {
        assert_eq!(pointer(restore(&desk, &body).await), place);
    }
    let gap = changed(&page, |page| drop(page["updates"].as_array_mut().unwrap().drain(..2)));
    let apart = restore(&desk, &gap).await.problem(409, "history-changed");
    assert_eq!(apart["cursor"], desk.state().await["cursor"]);
    let tolerated = changed(&page, |page| {
        page["recoveryTicket"] = json!(null);
        page["updates"][1]["unknown"] = json!(1);
        page["updates"][0]["localSeqNum"] = json!(null);
        page["updates"][1]["previousValue"] = json!({"whatever": 1});
    });
    assert_eq!(restore(&desk, &tolerated).await.expect(200)["serverSeqNum"], 5);
}

#[tokio::test]
async fn viewers_strangers_and_finished_meets() {
    let (_disk, server, desk, _, page) = behind().await;
    let viewer = desk.viewer().await;
    restore(&viewer, &page).await.problem(403, "read-only");
    restore(&desk.with_token(""), &page).await.problem(401, "invalid-session");
    let message = changed(&page, |page| {
        page["msgType"] = json!("RESTORE");
        page["sessionToken"] = json!(viewer.token);
    });
    server.stranger().post("/v1/messages", &message).await.problem(403, "read-only");
    desk.post(&desk.of_meet("/finish"), &json!({})).await.expect(200);
    restore(&desk, &page).await.problem(409, "meet-finished");
    let known = kept(&desk, 0, 10).await.remove(0);
    assert_eq!(restore(&desk, &known).await.expect(200)["status"], "finished");
}

#[tokio::test]
async fn a_page_that_could_not_be_written_is_not_taken() {
    let (disk, _server, desk, _, page) = behind().await;
    disk.store.fail_next_append(Fault::Write);
    restore(&desk, &page).await.problem(503, "storage-failed");
    assert_eq!(desk.state().await["serverSeqNum"], 1);
    let started = std::time::Instant::now();
    while restore(&desk, &page).await.status != 200 {
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "writing did not resume");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(desk.state().await["serverSeqNum"], 5);
}
