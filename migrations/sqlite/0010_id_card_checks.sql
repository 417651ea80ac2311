-- The states of ID card checks join those of 0008.
drop index instance_still;
create index instance_still on instance (id) where wake_at is null and workflow || ' ' || state_name not in (
    'levy_order settled', 'levy_order cancelled', 'levy_order rejected', 'remit levied', 'remit cancelled', 'remit auto_closed_unpaid',
    'batch done', 'sign_up signed', 'sign_up not_signed', 'bare done', 'document verified', 'document rejected', 'voucher attached',
    'voucher waived', 'id_card_check missing', 'id_card_check verified');
