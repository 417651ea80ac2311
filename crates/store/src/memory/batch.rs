//! Batches.

use super::{BatchEntry, World};
use crate::{BatchLine, BatchRow, BatchSums, NewInstance, Result, Submitted};
use domain::InstanceId;

impl World {
    pub(crate) fn put_batch(&mut self, batch: NewInstance, rows: Vec<BatchRow>) -> Result<Submitted> {
        self.atomically(|world| {
            let answer = world.insert(std::slice::from_ref(&batch))?.remove(0);
            if matches!(answer, Submitted::Created(_)) {
                for row in rows {
                    world.lines.put((batch.id, row.row), BatchEntry { row, order: None });
                }
            }
            Ok(answer)
        })
    }

    fn lines_of(&self, batch: InstanceId, after: i64) -> impl Iterator<Item = &BatchEntry> {
        self.lines.range((batch, after.saturating_add(1))..=(batch, i64::MAX)).map(|(_, entry)| entry)
    }

    pub(crate) fn prepared(&self, batch: InstanceId, after_row: i64, limit: usize) -> Result<Vec<(i64, NewInstance)>> {
        let waiting =
            self.lines_of(batch, after_row).filter(|entry| entry.order.is_none() && entry.row.errors.is_empty());
        Ok(waiting.filter_map(|entry| entry.row.prepared.clone().map(|new| (entry.row.row, new))).take(limit).collect())
    }

    pub(crate) fn batch_lines(&self, batch: InstanceId, after: i64, limit: usize) -> Result<Vec<BatchLine>> {
        let line = |entry: &BatchEntry| BatchLine {
            row: entry.row.row,
            business_key: entry.row.prepared.as_ref().map(|new| new.business_key.clone()),
            order: entry.order,
            state: entry.order.and_then(|id| self.machines.get(&id)).map(|machine| machine.row.state_name.clone()),
            errors: entry.row.errors.clone(),
        };
        Ok(self.lines_of(batch, after).take(limit).map(line).collect())
    }

    pub(crate) fn batch_sums(&self, batch: InstanceId) -> Result<BatchSums> {
        let mut sums = BatchSums::default();
        for entry in self.lines_of(batch, i64::MIN) {
            let good = entry.row.errors.is_empty();
            sums.good += i64::from(good);
            sums.bad += i64::from(!good);
            sums.released += i64::from(entry.order.is_some());
            sums.amount_fen += if good { entry.row.amount_fen } else { 0 };
        }
        Ok(sums)
    }
}
