//! "What is a conflict?", and who wins it.

use serde_json::json;

use super::browser::{Browser, Over, assert_all_agree};
use super::{browsers, browsers_of, field, register};
use crate::support::{Client, TestServer};

/// Two browsers at platforms of equal priority, in a meet with this `tieBreak`.
async fn platforms(server: &TestServer, tie_break: &str) -> [Browser; 2] {
    let mut creation = Client::creation("platform 1");
    creation["settings"] = json!({"tieBreak": tie_break});
    let first = server.stranger().create(&creation).await;
    browsers_of(Over::Rest, &first, ["platform 1", "platform 2"]).await
}

#[tokio::test]
async fn the_same_value_twice_is_no_conflict() {
    let server = TestServer::start().await;
    let [mut a, mut b] = browsers(&server, ["platform 1", "desk"]).await;
    a.edit("meet.name", "Test Open");
    b.edit("meet.name", "Test Open");
    a.send().await;
    let reply = b.send().await;
    assert_eq!(reply["updateAcks"][0]["overrules"], json!(null));
    b.hear(2).await;
    a.hear(2).await;
    assert!(a.overruled_by.is_empty());
    assert_all_agree(&[&a, &b]).await;
}

#[tokio::test]
async fn who_has_seen_a_change_may_change_it_again_whatever_the_priorities() {
    let server = TestServer::start().await;
    let [mut director, mut desk] = browsers(&server, ["director", "desk"]).await;
    director.edit("meet.name", "Test Open");
    director.send().await;
    desk.hear(1).await;
    desk.edit("meet.name", "Test Open 2026");
    desk.send().await;
    director.hear(2).await;
    assert_eq!(director.screen()["meet"]["name"], "Test Open 2026");
    assert_all_agree(&[&director, &desk]).await;
}

#[tokio::test]
async fn between_equal_platforms_the_first_one_stands() {
    let server = TestServer::start().await;
    let [mut left, mut right] = platforms(&server, "incumbent").await;
    left.edit("meet.barAndCollarsKg", 25);
    right.edit("meet.barAndCollarsKg", 20);
    left.send().await;
    right.send().await;
    assert_eq!(right.rejected[0]["code"], "overruled");
    assert_eq!(right.rejected[0]["standing"]["locationName"], "platform 1");
    right.hear(1).await;
    assert_eq!(right.screen()["meet"]["barAndCollarsKg"], 25);
    assert_all_agree(&[&left, &right]).await;
}

#[tokio::test]
async fn between_equal_platforms_the_last_one_stands_where_the_meet_wants_it_so() {
    let server = TestServer::start().await;
    let [mut left, mut right] = platforms(&server, "latest").await;
    left.edit("meet.barAndCollarsKg", 25);
    right.edit("meet.barAndCollarsKg", 20);
    left.send().await;
    let reply = right.send().await;
    assert_eq!(reply["updateAcks"][0]["overrules"], json!([1]));
    left.hear(2).await;
    right.hear(2).await;
    assert_eq!(left.overruled_by[0]["previousValue"], 25);
    assert_eq!(left.screen()["meet"]["barAndCollarsKg"], 20);
    assert_all_agree(&[&left, &right]).await;
}

/// Two browsers of one location are two clients of equal priority, and one browser is never its own enemy.
#[tokio::test]
async fn a_second_browser_at_the_same_location_is_somebody_else() {
    let server = TestServer::start().await;
    let [mut first] = browsers(&server, ["platform 1"]).await;
    let mut second = Browser::open(first.client.join("platform 1").await).await;
    first.edit("meet.name", "A");
    first.edit("meet.name", "B");
    second.edit("meet.name", "C");
    first.send().await;
    second.send().await;
    assert!(first.rejected.is_empty());
    assert_eq!(second.rejected[0]["standing"]["serverSeqNum"], 2);
    second.hear(2).await;
    assert_all_agree(&[&first, &second]).await;
}

#[tokio::test]
async fn the_director_overrules_a_platform_which_is_told_both_values() {
    let server = TestServer::start().await;
    let [mut platform, mut director, mut display] = browsers(&server, ["platform 1", "director", "desk"]).await;
    register(&mut [&mut platform, &mut director, &mut display], 5000).await;
    let (status, weight) = (field(5000, "squatStatus[0]"), field(5000, "squatKg[0]"));
    platform.edit(&status, -1);
    platform.edit(&weight, 180);
    director.edit(&status, 1);
    platform.send().await;
    let reply = director.send().await;
    assert_eq!(reply["updateAcks"][0]["overrules"], json!([2]));

    platform.hear(4).await;
    let told = &platform.overruled_by[0];
    assert_eq!(
        (&told["locationName"], &told["updateKey"], &told["updateValue"], &told["previousValue"], &told["overrules"]),
        (&json!("director"), &json!(status), &json!(1), &json!(-1), &json!([2]))
    );
    director.hear(4).await;
    display.hear(4).await;
    assert!(display.overruled_by.is_empty(), "nothing of its own was replaced");
    assert_all_agree(&[&platform, &director, &display]).await;
}

#[tokio::test]
async fn a_platform_that_had_not_seen_the_directors_word_is_refused() {
    let server = TestServer::start().await;
    let [mut director, mut platform] = browsers(&server, ["director", "platform 1"]).await;
    register(&mut [&mut director, &mut platform], 5000).await;
    let status = field(5000, "squatStatus[0]");
    director.edit(&status, 1);
    platform.edit(&status, -1);
    director.send().await;
    // The priority is kept with the entry: it counts after its writer has gone.
    director.client.delete(&director.client.of_meet("/session")).await.expect(204);
    platform.send().await;
    let rejection = &platform.rejected[0];
    assert_eq!((&rejection["code"], &rejection["standing"]["priority"]), (&json!("overruled"), &json!(30)));
    assert!(rejection["reason"].as_str().unwrap().contains("director (priority 30)"), "{rejection}");
    platform.hear(2).await;
    assert_all_agree(&[&platform]).await;
}

/// One refused update blocks none of its neighbours.
#[tokio::test]
async fn one_refused_update_of_ten_leaves_nine() {
    let server = TestServer::start().await;
    let [mut director, mut desk] = browsers(&server, ["director", "desk"]).await;
    director.edit("column4", "director");
    for column in 0..10 {
        desk.edit(&format!("column{column}"), "desk");
    }
    director.send().await;
    let reply = desk.send().await;
    assert_eq!(reply["updateAcks"].as_array().unwrap().len(), 9);
    assert_eq!(desk.rejected[0]["localSeqNum"], 5);
    desk.hear(10).await;
    director.hear(10).await;
    assert_eq!(director.screen()["column9"], "desk");
    assert_all_agree(&[&director, &desk]).await;
}
