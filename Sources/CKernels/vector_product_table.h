// The products of one instruction set; `CK_PRODUCTS` and `CK_NAME` say which.
const struct ck_product_table CK_PRODUCTS = {
    .name = CK_NAME,
    .panel_width = CK_PANEL_WIDTH,
    .pack = pack,
    .multiply = multiply,
    .attend = attend,
    .layer_norm = layer_norm,
};
