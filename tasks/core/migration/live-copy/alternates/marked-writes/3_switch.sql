alter table shop.orders enable trigger carry_back;
-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
