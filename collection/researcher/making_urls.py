"""Addresses of the pages that make a study."""

from django.urls import path

from collection.researcher import editor, making, preview, protocol, renditions, uploads

urlpatterns = [
    path("studies/new/", making.study_new, name="study-new"),
    path("studies/<slug:slug>/clone/", making.study_clone_page, name="study-clone"),
    path("studies/<slug:slug>/edit/", making.study_edit, name="study-edit"),
    path("studies/<slug:slug>/preview/", preview.preview_begin, name="preview-begin"),
    path("studies/<slug:slug>/photos/", uploads.study_photos, name="study-photos"),
    path("studies/<slug:slug>/photos/begin/", uploads.photos_begin_page, name="photos-begin"),
    path("studies/<slug:slug>/photos/folder/", uploads.photos_folder, name="photos-folder"),
    path("studies/<slug:slug>/photos/choose/", uploads.scenes_choose_page, name="scenes-choose"),
    path("studies/<slug:slug>/photos/<public_id:public_id>/known/", uploads.photo_known, name="photo-known"),
    path("studies/<slug:slug>/photos/<public_id:public_id>/file/", uploads.photo_upload, name="photo-upload"),
    path(
        "studies/<slug:slug>/photos/<public_id:public_id>/finish/",
        uploads.photos_finish_page,
        name="photos-finish",
    ),
    path(
        "studies/<slug:slug>/photos/<public_id:public_id>/progress/",
        uploads.photos_progress,
        name="photos-progress",
    ),
    path(
        "studies/<slug:slug>/photos/<public_id:public_id>/cancel/",
        uploads.photos_cancel,
        name="photos-cancel",
    ),
    path(
        "studies/<slug:slug>/photos/<public_id:public_id>/remove/",
        uploads.scene_remove_page,
        name="scene-remove",
    ),
    path("studies/<slug:slug>/renditions/", renditions.study_renditions, name="study-renditions"),
    path(
        "studies/<slug:slug>/renditions/<public_id:public_id>/progress/",
        renditions.render_progress,
        name="render-progress",
    ),
    path(
        "studies/<slug:slug>/renditions/<public_id:public_id>/cancel/",
        renditions.render_cancel,
        name="render-cancel",
    ),
    path("studies/<slug:slug>/pairs/", renditions.study_pairs, name="study-pairs"),
    path("studies/<slug:slug>/pairs/make/", renditions.pairs_make, name="pairs-make"),
    path("studies/<slug:slug>/protocol/edit/", editor.protocol_edit, name="protocol-edit"),
    path("studies/<slug:slug>/protocol/validate/", editor.protocol_validate, name="protocol-validate"),
    path("studies/<slug:slug>/protocol/study.yaml", protocol.study_download, name="study-download"),
    path(
        "studies/<slug:slug>/protocol/<int:number>/study.yaml",
        protocol.study_download,
        name="version-download",
    ),
    path("photos/<public_id:public_id>/", uploads.scene_thumbnail, name="scene-thumbnail"),
]
