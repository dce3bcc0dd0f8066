#include "render/scene.h"

Scene *scene_new(Arena *arena, double width, double height, const char *title)
{
    Scene *scene = ARENA_NEW(arena, Scene);
    *scene = (Scene){.arena = arena, .width = width, .height = height, .title = title, .description = ""};
    return scene;
}

static SceneItem *add(Scene *scene, SceneItem item)
{
    SceneItem *added = ARENA_NEW(scene->arena, SceneItem);
    *added = item;
    if (scene->last)
        scene->last->next = added;
    else
        scene->first = added;
    scene->last = added;
    return added;
}

void scene_rectangle(Scene *scene, double x, double y, double width, double height, Colour colour)
{
    add(scene, (SceneItem){.kind = SCENE_RECTANGLE, .x = x, .y = y, .width = width, .height = height, .colour = colour});
}

void scene_frame(Scene *scene, double x, double y, double width, double height, Colour colour)
{
    add(scene, (SceneItem){.kind = SCENE_FRAME, .x = x, .y = y, .width = width, .height = height, .colour = colour});
}

void scene_line(Scene *scene, double x0, double y0, double x1, double y1, Colour colour)
{
    add(scene, (SceneItem){.kind = SCENE_LINE, .x = x0, .y = y0, .width = x1 - x0, .height = y1 - y0, .colour = colour});
}

SceneItem *scene_text(Scene *scene, double x, double y, double size, TextAnchor anchor, const char *text)
{
    return add(
        scene,
        (SceneItem){
            .kind = SCENE_TEXT, .x = x, .y = y, .size = size, .anchor = anchor, .text = text, .colour = {0x22, 0x22, 0x22}});
}

void scene_cells(Scene *scene, double x, double y, double width, double height, const Pixel *cells, int columns, int rows)
{
    add(scene, (SceneItem){.kind = SCENE_CELLS,
                           .x = x,
                           .y = y,
                           .width = width,
                           .height = height,
                           .cells = cells,
                           .columns = columns,
                           .rows = rows});
}
