BEGIN;
CREATE TABLE IF NOT EXISTS public.orders (order_id text, day date, amount numeric(12,2));
DELETE FROM public.orders WHERE day = :'day';
INSERT INTO public.orders SELECT order_id, day, amount FROM app.orders WHERE day = :'day';
COMMIT;
