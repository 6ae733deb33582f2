//! View keys: one that was handed out opens the meet whatever happened since, one that was deleted never does.

use serde_json::json;

use crate::dice::Dice;
use crate::web::{ANSWER_WAIT, Lost, Web};

/// What one editor knows of the view keys that it made.
#[derive(Default)]
pub struct Keys {
    /// Each with its id.
    good: Vec<(String, String)>,
    deleted: Vec<String>,
}

impl Keys {
    /// Makes one, deletes one, or tries all.
    pub async fn act(&mut self, web: &Web, dice: &mut Dice) -> Result<(), Lost> {
        match dice.below(4) {
            0 | 1 => self.create(web, dice).await,
            2 => self.delete(web, dice).await,
            _ => self.check(web, dice).await,
        }
    }

    async fn create(&mut self, web: &Web, dice: &mut Dice) -> Result<(), Lost> {
        let (status, made) = web.ask("POST", "/view-keys", Some(&json!({"label": "overlay"})), ANSWER_WAIT, dice).await?;
        if status == 503 {
            return Err(Lost);
        }
        assert_eq!(status, 201, "{made}");
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        self.good.push((text("keyId"), text("viewKey")));
        Ok(())
    }

    /// A key whose deletion was not answered may be there or not.
    async fn delete(&mut self, web: &Web, dice: &mut Dice) -> Result<(), Lost> {
        let Some((id, key)) = self.good.pop() else { return Ok(()) };
        let (status, answer) = web.ask("DELETE", &format!("/view-keys/{id}"), None, ANSWER_WAIT, dice).await?;
        if status == 503 {
            return Err(Lost);
        }
        assert_eq!(status, 204, "{answer}");
        self.deleted.push(key);
        Ok(())
    }

    /// Tries every key.
    pub async fn check(&self, web: &Web, dice: &mut Dice) -> Result<(), Lost> {
        let good = self.good.iter().map(|(_, key)| (key, 200));
        for (key, wanted) in good.chain(self.deleted.iter().map(|key| (key, 401))) {
            let viewer = Web { token: key.clone(), ..web.clone() };
            let (status, answer) = viewer.ask("GET", "/updates?after=0", None, ANSWER_WAIT, dice).await?;
            if status == 503 {
                return Err(Lost);
            }
            assert_eq!(status, wanted, "view key {key}: {answer}");
        }
        Ok(())
    }
}
